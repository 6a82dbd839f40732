#include "bench/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int bad_line(const char *line, const char *why)
{
	fprintf(stderr, "bench-report: %s: %s", why, line);
	return -1;
}

/* "bare<=1.5" or "<=1024" */
static int read_goal(struct report_goal *goal, const char *text)
{
	const char *sign = strpbrk(text, "<>");
	char *end;

	if (!sign || sign[1] != '=' || (size_t)(sign - text) >= sizeof(goal->of))
		return -1;
	memcpy(goal->of, text, (size_t)(sign - text));
	goal->at_most = *sign == '<';
	goal->limit = strtod(sign + 2, &end);
	return *end || end == sign + 2 ? -1 : 0;
}

static int read_goals(struct report_figure *figure, char *text)
{
	char *rest, *goal;

	if (!strcmp(text, "-"))
		return 0;
	for (goal = strtok_r(text, ",", &rest); goal; goal = strtok_r(NULL, ",", &rest))
		if (figure->goal_count == REPORT_GOALS_MAX ||
			read_goal(&figure->goals[figure->goal_count++], goal))
			return -1;
	return 0;
}

static int read_figure(struct report *report, const char *line)
{
	struct report_figure *figure = &report->figures[report->figure_count];
	char better[8], goals[128];

	if (report->figure_count == REPORT_FIGURES_MAX)
		return bad_line(line, "there are too many figures");
	if (sscanf(line, "%47s %15s %7s %127s %159[^\n]", figure->name, figure->unit, better, goals,
		    figure->what) != 5)
		return bad_line(line, "a figure has five fields");
	figure->less_is_better = !strcmp(better, "less");
	if (!figure->less_is_better && strcmp(better, "more") != 0)
		return bad_line(line, "either less or more is better");
	if (read_goals(figure, goals))
		return bad_line(line, "a goal is like bare<=1.5, or >=70");
	report->figure_count++;
	return 0;
}

static struct report_contender *find_contender(struct report_figure *figure, const char *name)
{
	struct report_contender *contender = figure->contenders;

	for (size_t i = 0; i < figure->contender_count; i++, contender++)
		if (!strcmp(contender->name, name))
			return contender;
	if (figure->contender_count == REPORT_CONTENDERS_MAX)
		return NULL;
	figure->contender_count++;
	snprintf(contender->name, sizeof(contender->name), "%s", name);
	return contender;
}

static int read_fact(struct report *report, const char *line)
{
	struct report_fact *fact = &report->facts[report->fact_count];

	if (report->fact_count == REPORT_FACTS_MAX)
		return bad_line(line, "there are too many facts");
	if (sscanf(line, "fact %31s %199[^\n]", fact->name, fact->value) != 2)
		return bad_line(line, "a fact has a name and a value");
	report->fact_count++;
	return 0;
}

static int read_sample(struct report *report, const char *line)
{
	char figure[48], name[32], number[32], *end;
	struct report_contender *contender;
	double value;

	if (sscanf(line, "sample %47s %31s %31s", figure, name, number) != 3)
		return bad_line(line, "a sample has a figure, a contender and a number");
	value = strtod(number, &end);
	if (*end || !isfinite(value))
		return bad_line(line, "a sample has a number");
	for (size_t i = 0; i < report->figure_count; i++)
		if (!strcmp(report->figures[i].name, figure)) {
			contender = find_contender(&report->figures[i], name);
			if (!contender)
				return bad_line(line, "there are too many contenders");
			samples_add(&contender->samples, value);
			return 0;
		}
	return bad_line(line, "there is no such figure");
}

static bool is_of(const struct report_figure *figure, const char *bench)
{
	size_t len = strlen(bench);

	return !strncmp(figure->name, bench, len) && (!figure->name[len] || figure->name[len] == '/');
}

static int read_missing(struct report *report, const char *line, const char *prefix)
{
	char bench[48], name[32], reason[120];
	bool found = false;

	if (sscanf(line, "%*s %47s %31s %119[^\n]", bench, name, reason) != 3)
		return bad_line(line, "it has a bench, a contender and a reason");
	for (size_t i = 0; i < report->figure_count; i++) {
		struct report_figure *figure = &report->figures[i];
		struct report_contender *contender;

		if (!is_of(figure, bench))
			continue;
		found = true;
		contender = find_contender(figure, name);
		if (!contender)
			return bad_line(line, "there are too many contenders");
		snprintf(contender->missing, sizeof(contender->missing), "%s%s", prefix, reason);
	}
	return found ? 0 : bad_line(line, "there is no such bench");
}

static int read_result(struct report *report, const char *line)
{
	if (!strncmp(line, "fact ", 5))
		return read_fact(report, line);
	if (!strncmp(line, "sample ", 7))
		return read_sample(report, line);
	if (!strncmp(line, "skip ", 5))
		return read_missing(report, line, "not measured: ");
	if (!strncmp(line, "fail ", 5))
		return read_missing(report, line, "failed: ");
	return bad_line(line, "this is no fact, sample, skip or fail");
}

static int read_lines(struct report *report, FILE *from, int (*read)(struct report *, const char *))
{
	char *line = NULL;
	size_t room = 0;
	int err = 0;

	while (!err && getline(&line, &room, from) > 0)
		if (*line != '#' && *line != '\n')
			err = read(report, line);
	free(line);
	return err;
}

int report_read(struct report *report, FILE *figures, FILE *samples)
{
	int err = read_lines(report, figures, read_figure);

	return err ? err : read_lines(report, samples, read_result);
}

void report_fini(struct report *report)
{
	for (size_t i = 0; i < report->figure_count; i++)
		for (size_t j = 0; j < report->figures[i].contender_count; j++)
			samples_fini(&report->figures[i].contenders[j].samples);
}

const struct report_contender *report_contender(const struct report_figure *figure, const char *name)
{
	for (size_t i = 0; i < figure->contender_count; i++)
		if (!strcmp(figure->contenders[i].name, name))
			return &figure->contenders[i];
	return NULL;
}

static struct report_verdict judge(const struct report_figure *figure, const struct report_contender *other)
{
	const struct report_contender *ours = report_contender(figure, REPORT_OURS);
	struct report_verdict verdict = {.other = other};

	for (size_t i = 0; i < figure->goal_count; i++)
		if (!strcmp(figure->goals[i].of, other ? other->name : ""))
			verdict.goal = &figure->goals[i];
	if (!ours || !ours->samples.count || (other && !other->samples.count))
		return verdict;
	verdict.value = samples_summarize(&ours->samples).median;
	verdict.known = true;
	if (other) {
		double theirs = samples_summarize(&other->samples).median;

		verdict.known = theirs > 0;
		verdict.value = verdict.known ? verdict.value / theirs : 0;
	}
	if (verdict.known && verdict.goal)
		verdict.met = verdict.goal->at_most ? verdict.value <= verdict.goal->limit
		                                    : verdict.value >= verdict.goal->limit;
	return verdict;
}

size_t report_verdicts(const struct report_figure *figure, struct report_verdict *ret_verdicts)
{
	struct report_verdict own = judge(figure, NULL);
	size_t count = 0, others = figure->contender_count - !!report_contender(figure, REPORT_OURS);

	if (own.goal || !others)
		ret_verdicts[count++] = own;
	for (size_t i = 0; i < figure->contender_count; i++)
		if (strcmp(figure->contenders[i].name, REPORT_OURS) != 0)
			ret_verdicts[count++] = judge(figure, &figure->contenders[i]);
	return count;
}
