#include "machine/outcome.h"

#include "util/bytes.h"

static const struct {
	const char *name;
	int status;
} outcomes[] = {
	[LODGE_POWEROFF] = {"poweroff", LODGE_STATUS_POWEROFF},
	[LODGE_GUEST_EXIT] = {"guest-exit", LODGE_STATUS_GUEST_MAX},
	[LODGE_USAGE] = {"usage", LODGE_STATUS_USAGE},
	[LODGE_HOST] = {"host", LODGE_STATUS_HOST},
	[LODGE_IMAGE] = {"image", LODGE_STATUS_IMAGE},
	[LODGE_VMM_ERROR] = {"vmm-error", LODGE_STATUS_VMM_ERROR},
	[LODGE_RESET] = {"reset", LODGE_STATUS_RESET},
	[LODGE_TRIPLE_FAULT] = {"triple-fault", LODGE_STATUS_TRIPLE_FAULT},
	[LODGE_KVM_INTERNAL_ERROR] = {"kvm-internal-error", LODGE_STATUS_KVM_INTERNAL_ERROR},
	[LODGE_PANIC] = {"panic", LODGE_STATUS_PANIC},
	[LODGE_TIMEOUT] = {"timeout", LODGE_STATUS_TIMEOUT},
	[LODGE_STOPPED] = {"stopped", LODGE_STATUS_STOPPED},
};

const char *lodge_outcome_name(enum lodge_outcome outcome)
{
	return (unsigned)outcome < ARRAY_SIZE(outcomes) ? outcomes[outcome].name : "unknown";
}

int outcome_status(enum lodge_outcome outcome, uint32_t code)
{
	if (outcome == LODGE_GUEST_EXIT && code < LODGE_STATUS_GUEST_MAX)
		return (int)code;
	return outcomes[outcome].status;
}

enum lodge_outcome outcome_of_error(int status)
{
	switch (status) {
	case LODGE_STATUS_USAGE:
		return LODGE_USAGE;
	case LODGE_STATUS_HOST:
		return LODGE_HOST;
	case LODGE_STATUS_IMAGE:
		return LODGE_IMAGE;
	default:
		return LODGE_VMM_ERROR;
	}
}
