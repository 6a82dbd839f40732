/* From the errors that the layers pass up to the one that lodge.h and lodge_control.h show. */
#pragma once

struct error;
struct lodge_error;

/* Fills *ret_error, which may be NULL, and returns err, so that a failing function ends with it. */
int lodge_error_from(const struct error *error, int err, struct lodge_error *ret_error);
