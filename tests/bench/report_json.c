/* docs/performance.md lists the fields. */
#include <jansson.h>
#include <string.h>

#include "bench/report.h"

#define JSON_FORMAT 1 /* grows when a field changes its meaning or goes */

static json_t *contender_json(const struct report_contender *contender)
{
	struct samples_summary summary = samples_summarize(&contender->samples);
	json_t *object = json_object(), *values = json_array();

	json_object_set_new(object, "name", json_string(contender->name));
	if (*contender->missing)
		json_object_set_new(object, "missing", json_string(contender->missing));
	for (size_t i = 0; i < contender->samples.count; i++)
		json_array_append_new(values, json_real(contender->samples.values[i]));
	if (contender->samples.count) {
		json_object_set_new(object, "min", json_real(summary.min));
		json_object_set_new(object, "q1", json_real(summary.q1));
		json_object_set_new(object, "median", json_real(summary.median));
		json_object_set_new(object, "q3", json_real(summary.q3));
		json_object_set_new(object, "max", json_real(summary.max));
	}
	json_object_set_new(object, "samples", values);
	return object;
}

static json_t *verdict_json(const struct report_verdict *verdict)
{
	json_t *object = json_object();

	json_object_set_new(object, "of", verdict->other ? json_string(verdict->other->name) : json_null());
	json_object_set_new(object, "value", verdict->known ? json_real(verdict->value) : json_null());
	if (verdict->goal) {
		json_object_set_new(object, verdict->goal->at_most ? "at_most" : "at_least",
			json_real(verdict->goal->limit));
		json_object_set_new(object, "met", verdict->known ? json_boolean(verdict->met) : json_null());
	}
	return object;
}

static json_t *figure_json(const struct report_figure *figure)
{
	struct report_verdict verdicts[REPORT_VERDICTS_MAX];
	size_t count = report_verdicts(figure, verdicts);
	json_t *object = json_object(), *contenders = json_array(), *ratios = json_array();

	json_object_set_new(object, "name", json_string(figure->name));
	json_object_set_new(object, "what", json_string(figure->what));
	json_object_set_new(object, "unit", json_string(figure->unit));
	json_object_set_new(object, "better", json_string(figure->less_is_better ? "less" : "more"));
	for (size_t i = 0; i < figure->contender_count; i++)
		json_array_append_new(contenders, contender_json(&figure->contenders[i]));
	for (size_t i = 0; i < count; i++)
		json_array_append_new(ratios, verdict_json(&verdicts[i]));
	json_object_set_new(object, "contenders", contenders);
	json_object_set_new(object, "verdicts", ratios);
	return object;
}

int report_write_json(const struct report *report, FILE *out)
{
	json_t *root = json_object(), *facts = json_object(), *figures = json_array();
	int err;

	for (size_t i = 0; i < report->fact_count; i++)
		json_object_set_new(facts, report->facts[i].name, json_string(report->facts[i].value));
	for (size_t i = 0; i < report->figure_count; i++)
		if (report->figures[i].contender_count)
			json_array_append_new(figures, figure_json(&report->figures[i]));
	json_object_set_new(root, "format", json_integer(JSON_FORMAT));
	json_object_set_new(root, "facts", facts);
	json_object_set_new(root, "figures", figures);
	err = json_dumpf(root, out, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
	fputc('\n', out);
	json_decref(root);
	return err;
}
