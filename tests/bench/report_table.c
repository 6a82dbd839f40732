/* For people: the table, and what gnuplot draws. */
#include <string.h>

#include "bench/report.h"

#define NUMBER_MAX 32

/* Three digits or more, and no more decimals than mean something. */
static const char *number(char text[NUMBER_MAX], double value)
{
	int decimals = value < 10 ? 2 : value < 100 ? 1 : 0;

	if (value && value < 0.1)
		decimals = 4;
	snprintf(text, NUMBER_MAX, "%.*f", decimals, value);
	return text;
}

static void write_contender(
	const struct report_figure *figure, const struct report_contender *contender, FILE *out)
{
	char median[NUMBER_MAX], q1[NUMBER_MAX], q3[NUMBER_MAX], min[NUMBER_MAX], max[NUMBER_MAX];
	struct samples_summary summary;

	if (!contender) {
		fprintf(out, "not measured");
		return;
	}
	summary = samples_summarize(&contender->samples);
	if (contender->samples.count == 1)
		fprintf(out, "%s %s", number(median, summary.median), figure->unit);
	else if (contender->samples.count)
		fprintf(out, "%s %s (%s - %s; %s - %s)", number(median, summary.median), figure->unit,
			number(q1, summary.q1), number(q3, summary.q3), number(min, summary.min),
			number(max, summary.max));
	if (*contender->missing)
		fprintf(out, "%s%s", contender->samples.count ? ", then " : "", contender->missing);
}

static void write_goal(const struct report_verdict *verdict, FILE *out)
{
	char limit[NUMBER_MAX];

	if (!verdict->goal)
		return;
	fprintf(out, "at %s %s: %s", verdict->goal->at_most ? "most" : "least",
		number(limit, verdict->goal->limit),
		!verdict->known ? "not measured"
		: verdict->met  ? "met"
				: "**missed**");
}

static void write_row(
	const struct report_figure *figure, const struct report_verdict *verdict, bool first, FILE *out)
{
	char ratio[NUMBER_MAX];

	fprintf(out, "| `%s` | %s | ", figure->name, first ? figure->what : "");
	if (first)
		write_contender(figure, report_contender(figure, REPORT_OURS), out);
	fprintf(out, " | ");
	if (verdict->other) {
		fprintf(out, "%s: ", verdict->other->name);
		write_contender(figure, verdict->other, out);
	}
	fprintf(out, " | %s | ", verdict->other && verdict->known ? number(ratio, verdict->value) : "");
	write_goal(verdict, out);
	fprintf(out, " |\n");
}

void report_write_table(const struct report *report, FILE *out)
{
	struct report_verdict verdicts[REPORT_VERDICTS_MAX];

	for (size_t i = 0; i < report->fact_count; i++)
		fprintf(out, "- %s: %s\n", report->facts[i].name, report->facts[i].value);
	fprintf(out, "\nEach value: median (quartiles; least - most).\n\n"
		     "| figure | what | lodge | beside it | lodge / the other | goal |\n"
		     "|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < report->figure_count; i++) {
		const struct report_figure *figure = &report->figures[i];
		size_t count = figure->contender_count ? report_verdicts(figure, verdicts) : 0;

		for (size_t j = 0; j < count; j++)
			write_row(figure, &verdicts[j], !j, out);
	}
}

void report_write_plot(const struct report *report, FILE *out)
{
	struct report_verdict verdicts[REPORT_VERDICTS_MAX];
	unsigned position = 0;

	for (size_t i = 0; i < report->figure_count; i++) {
		const struct report_figure *figure = &report->figures[i];
		size_t count = figure->contender_count ? report_verdicts(figure, verdicts) : 0;

		for (size_t j = 0; j < count; j++) {
			const struct report_verdict *verdict = &verdicts[j];
			struct samples_summary ours;
			double scale;

			if (!verdict->other || !verdict->known || verdict->value <= 0)
				continue;
			ours = samples_summarize(&report_contender(figure, REPORT_OURS)->samples);
			scale = verdict->value / ours.median;
			fprintf(out, "%u\t%s : %s", position++, figure->name, verdict->other->name);
			if (figure->less_is_better)
				fprintf(out, "\t%g\t%g\t%g\t", verdict->value, ours.q1 * scale,
					ours.q3 * scale);
			else
				fprintf(out, "\t%g\t%g\t%g\t", 1 / verdict->value, 1 / (ours.q3 * scale),
					1 / (ours.q1 * scale));
			if (verdict->goal)
				fprintf(out, "%g\n",
					figure->less_is_better ? verdict->goal->limit
							       : 1 / verdict->goal->limit);
			else
				fprintf(out, "NaN\n");
		}
	}
}
