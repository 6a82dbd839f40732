/* bench-report FIGURES SAMPLES FOLDER: writes bench.json, table.md and plot.dat there. */
#include <stdlib.h>

#include "bench/report.h"

static int read_both(struct report *report, const char *figures_path, const char *samples_path)
{
	FILE *figures = fopen(figures_path, "r"), *samples = fopen(samples_path, "r");
	int err = -1;

	if (figures && samples)
		err = report_read(report, figures, samples);
	else
		perror(figures ? samples_path : figures_path);
	if (figures)
		fclose(figures);
	if (samples)
		fclose(samples);
	return err;
}

static FILE *open_in(const char *folder, const char *name)
{
	char path[4096];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	out = fopen(path, "w");
	if (!out)
		perror(path);
	return out;
}

/* Also when the disk is full. */
static int close_written(FILE *out)
{
	int failed = ferror(out);

	if (!fclose(out) && !failed)
		return 0;
	perror("bench-report");
	return -1;
}

static int write_all(const struct report *report, const char *folder)
{
	FILE *json = open_in(folder, "bench.json"), *table = open_in(folder, "table.md"),
	     *plot = open_in(folder, "plot.dat");
	int err = json && table && plot ? 0 : -1;

	if (!err) {
		err = report_write_json(report, json);
		report_write_table(report, table);
		report_write_plot(report, plot);
	}
	if (json && close_written(json))
		err = -1;
	if (table && close_written(table))
		err = -1;
	if (plot && close_written(plot))
		err = -1;
	return err;
}

int main(int argc, char **argv)
{
	struct report *report = calloc(1, sizeof(*report));
	int err = -1;

	if (!report)
		abort();
	if (argc != 4)
		fprintf(stderr, "usage: bench-report FIGURES SAMPLES FOLDER\n");
	else if (!read_both(report, argv[1], argv[2]))
		err = write_all(report, argv[3]);
	report_fini(report);
	free(report);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
