/*
 * A writer of AML, ACPI's bytecode (ACPI 6.4, chapter 20): the few objects that describe a fixed machine.
 * What has a length (a device, a package, a scope) is opened, filled and closed; closing writes the length in.
 * What does not fit any more is left out and noted: the writer looks at `full` once, at the end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
	uint8_t *bytes;
	size_t size;
	size_t len;
	bool full;
};

/* Name (NAME, value): the value is what is written next. Names have four characters, as a NameSeg has. */
void aml_name(struct aml *aml, const char *name);

void aml_integer(struct aml *aml, uint32_t value);
void aml_string(struct aml *aml, const char *text);
void aml_eisa_id(struct aml *aml, const char *id); /* "PNP0501" */
void aml_buffer(struct aml *aml, const void *bytes, size_t len);

/* Each returns what aml_close() wants. */
size_t aml_open_scope(struct aml *aml, const char *name);
size_t aml_open_device(struct aml *aml, const char *name);
size_t aml_open_package(struct aml *aml, uint8_t elements);
size_t aml_open_method(struct aml *aml, const char *name, uint8_t arguments); /* serialized; up to 7 */
void aml_close(struct aml *aml, size_t mark);

/* Notify (NAME, value): a device in the method's scope, or in one around it. */
void aml_notify(struct aml *aml, const char *name, uint8_t value);

/* Resource descriptors (ACPI 6.4, 6.4): written one after the other, aml_resource_end() last. */
void aml_resource_io(struct aml *aml, uint16_t base, uint8_t size);
void aml_resource_memory32(struct aml *aml, uint32_t base, uint32_t size);
void aml_resource_interrupt(struct aml *aml, uint32_t gsi); /* edge, active high, exclusive */
void aml_resource_bus_numbers(struct aml *aml, uint16_t first, uint16_t count); /* below a bridge */
void aml_resource_window32(struct aml *aml, uint32_t base, uint32_t size);      /* a bridge's; not cached */
void aml_resource_end(struct aml *aml);
