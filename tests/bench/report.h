/* All that a run of scripts/bench has found: facts of the machine, and the figures. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "bench/samples.h"

#define REPORT_FACTS_MAX      40
#define REPORT_FIGURES_MAX    100
#define REPORT_CONTENDERS_MAX 8
#define REPORT_VERDICTS_MAX   (REPORT_CONTENDERS_MAX + 1)
#define REPORT_GOALS_MAX      4
#define REPORT_OURS           "lodge"

struct report_fact {
	char name[32], value[200];
};

/* Who was measured. */
struct report_contender {
	char name[32];
	struct samples samples;
	char missing[160]; /* why there are none, or not all; empty: all are there */
};

/* What lodge's median shall be: at least or at most so much, or so many times another contender's. */
struct report_goal {
	char of[32]; /* empty: a value by itself */
	bool at_most;
	double limit;
};

struct report_figure {
	char name[48], unit[16], what[160];
	bool less_is_better;
	struct report_goal goals[REPORT_GOALS_MAX];
	size_t goal_count;
	struct report_contender contenders[REPORT_CONTENDERS_MAX];
	size_t contender_count; /* 0: it was not asked for */
};

struct report {
	struct report_fact facts[REPORT_FACTS_MAX];
	size_t fact_count;
	struct report_figure figures[REPORT_FIGURES_MAX];
	size_t figure_count;
};

/* What is said of a figure: lodge's median, or that against another contender. One row of the table, too. */
struct report_verdict {
	const struct report_contender *other; /* NULL: by itself */
	const struct report_goal *goal;       /* NULL: none was set */
	double value;                         /* lodge's median, or its ratio to the other's */
	bool known;                           /* both have samples */
	bool met;
};

/*
 * Reads the list of figures (tests/bench/figures tells its form), then samples, a line each:
 *
 *     fact NAME VALUE...
 *     sample FIGURE CONTENDER NUMBER
 *     skip FIGURE CONTENDER REASON...    it is not here to be measured
 *     fail FIGURE CONTENDER REASON...    it could not be measured
 *
 * In the last two a bench stands for all its figures: start for start/exit and start/first-byte.
 *
 * 0, or -1 with a line on stderr that says which line is wrong.
 */
int report_read(struct report *report, FILE *figures, FILE *samples);
void report_fini(struct report *report);

/* NULL: nobody of that name. */
const struct report_contender *report_contender(const struct report_figure *figure, const char *name);

/*
 * lodge's own, if there is a goal for that or nobody else; then one for each other contender. Returns how many:
 * REPORT_VERDICTS_MAX at most.
 */
size_t report_verdicts(const struct report_figure *figure, struct report_verdict *ret_verdicts);

/* docs/performance.md tells of its fields. 0 or -1. */
int report_write_json(const struct report *report, FILE *out);

/* Markdown: the facts, and a row for each figure and contender. */
void report_write_table(const struct report *report, FILE *out);

/*
 * For tests/bench/plot.gp, a line for each other contender: position, label, lodge's cost in units of the other's, that
 * of lodge's quartiles, and the goal. More is worse, also where the figure itself is a rate.
 */
void report_write_plot(const struct report *report, FILE *out);
