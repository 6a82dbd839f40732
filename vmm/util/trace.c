#include "util/trace.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/bytes.h"

void trace_line(const struct trace *trace, const char *format, ...)
{
	char line[256];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (len < 0)
		return;
	len = MIN(len, (int)sizeof(line) - 2);
	line[len++] = '\n';
	if (write(trace->fd, line, (size_t)len) < 0)
		return;
}

int trace_parse(const char *text, unsigned *ret_topics)
{
	static const struct {
		const char *name;
		unsigned topics;
	} names[] = {
		{"pio", TRACE_PIO},
		{"mmio", TRACE_MMIO},
		{"irq", TRACE_IRQ},
		{"virtio", TRACE_VIRTIO},
		{"exit", TRACE_EXIT},
		{"all", TRACE_PIO | TRACE_MMIO | TRACE_IRQ | TRACE_VIRTIO | TRACE_EXIT},
	};
	unsigned topics = 0, i;

	for (;;) {
		size_t len = strcspn(text, ",");

		for (i = 0; i < ARRAY_SIZE(names); i++) {
			if (strlen(names[i].name) == len && !memcmp(names[i].name, text, len))
				break;
		}
		if (i == ARRAY_SIZE(names))
			return -EINVAL;
		topics |= names[i].topics;
		if (!text[len])
			break;
		text += len + 1;
	}
	*ret_topics = topics;
	return 0;
}
