/*
 * Guests by name: a VM that others can find, look at and steer, each through two sockets in a directory of its own
 * (docs/control.md). There is no daemon: the process that runs the VM serves them.
 *
 *     lodge_instance_new("web", NULL, config.kernel, &instance, &error);
 *     consoles[0] = (struct lodge_console){.kind = LODGE_CONSOLE_LISTEN, .in = lodge_instance_console(instance)};
 *     lodge_vm_new(&config, &vm, &error);
 *     lodge_instance_serve(instance, vm, &config, &error);
 *     lodge_vm_run(vm, &result);
 *     lodge_instance_finish(instance, &result);
 *     lodge_vm_free(vm);
 *     lodge_instance_free(instance);
 *
 * Functions return 0 or a negative errno; *ret_error (may be NULL) then has a line for a person.
 */
#ifndef LODGE_CONTROL_H
#define LODGE_CONTROL_H

#include "lodge.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LODGE_NAME_MAX  64        /* letters, digits, '.', '_' and '-'; the first a letter or a digit */
#define LODGE_LINE_MAX  65536     /* bytes of a request, its newline included */
#define LODGE_REPLY_MAX (8 << 20) /* bytes of a reply; the logs are the longest */
#define LODGE_PROTOCOL  1

struct lodge_instance;

/*
 * Claims a name for a VM of this process, in $LODGE_RUNTIME_DIR, $XDG_RUNTIME_DIR/lodge, /run/lodge (root) or
 * /tmp/lodge-UID, and opens its sockets. name NULL: one is made of the kernel's (NULL: lodger), such as "lodger-1".
 * *ret_instance is the caller's to free. -EEXIST: a running guest has the name; what a dead one left is removed.
 */
LODGE_API int lodge_instance_new(const char *name, const char *kernel, struct lodge_instance **ret_instance,
	struct lodge_error *ret_error);

/* Valid as long as the instance. */
LODGE_API const char *lodge_instance_name(const struct lodge_instance *instance);

/* The listening socket of its console, for a LODGE_CONSOLE_LISTEN; the instance's own. */
LODGE_API int lodge_instance_console(const struct lodge_instance *instance);

#define LODGE_CPU_SHARE_MAX 10000
#define LODGE_CPU_MAX_MAX   6400 /* 100 each of LODGE_CPUS_MAX */

/* What a guest's process may take of the host, by cgroup v2 (docs/control.md). 0: no limit. */
struct lodge_limits {
	unsigned cpu_share;       /* cpu.weight: of CPUs that are wanted by several; 100 is everybody's */
	unsigned cpu_max_percent; /* cpu.max: of one CPU; 250 is two and a half */
	uint64_t memory_max;      /* memory.max: bytes; the guest's memory, lodge's own and the page cache */
};

/*
 * 0, or -EINVAL and *ret_error when a limit is out of range, or memory_max is less than the VM needs: the kernel
 * would kill the process when the guest uses its memory. config->overcommit takes that risk.
 */
LODGE_API int lodge_limits_check(
	const struct lodge_limits *limits, const struct lodge_config *config, struct lodge_error *ret_error);

/*
 * Sets all limits, now or anew. The first one moves the process into a cgroup of its own, "lodge-NAME" below the one
 * that it is in, until the instance is freed (after the VM: KVM has threads in there); memory that the process has by
 * then stays on the old one's account, so call it before lodge_vm_new(). The limits are the whole process's: give them to one instance of it only. Any
 * thread. On failure all is as before; LODGE_STATUS_HOST says that this host, or this cgroup, does not have it.
 */
LODGE_API int lodge_instance_limit(
	struct lodge_instance *instance, const struct lodge_limits *limits, struct lodge_error *ret_error);

/*
 * After a fork(), in the process that shall not run the guest: frees the instance here, and leaves the name and the
 * limits to the other one.
 */
LODGE_API void lodge_instance_leave(struct lodge_instance *instance);

#define LODGE_FOLDERS_MAX 3

/*
 * Descriptors, the instance's own, of the folders in which it still opens, makes and removes files once it has its name:
 * for who confines the process. How many there are.
 */
LODGE_API unsigned lodge_instance_folders(
	const struct lodge_instance *instance, int ret_folders[LODGE_FOLDERS_MAX]);

/* Starts to answer on the control socket, on a thread of its own, for a VM and the configuration it was made of. */
LODGE_API int lodge_instance_serve(struct lodge_instance *instance, struct lodge_vm *vm,
	const struct lodge_config *config, struct lodge_error *ret_error);

/*
 * After the run, and before the VM is freed: tells all clients how it ended, stops serving and gives the name back.
 * Clients see the end of their connections when the instance is freed.
 */
LODGE_API void lodge_instance_finish(struct lodge_instance *instance, const struct lodge_result *result);

/* Also for one that was never served. NULL is fine. */
LODGE_API void lodge_instance_free(struct lodge_instance *instance);

/* Clients. */

/*
 * The names of the running guests of this user, sorted; what dead ones left is removed. *ret_names is an array of
 * *ret_count strings, in one piece, for free().
 */
LODGE_API int lodge_guests_list(char ***ret_names, unsigned *ret_count, struct lodge_error *ret_error);

/* Connects to a guest's console: its descriptor is the caller's. -ESRCH: there is no such guest. */
LODGE_API int lodge_guest_console(const char *name, int *ret_fd, struct lodge_error *ret_error);

struct lodge_client;

/* Connects to a guest's control socket. -ESRCH: there is no such guest. */
LODGE_API int lodge_client_new(
	const char *name, struct lodge_client **ret_client, struct lodge_error *ret_error);
LODGE_API void lodge_client_free(struct lodge_client *client); /* NULL is fine */

/* For poll(); and the process that runs the guest. */
LODGE_API int lodge_client_fd(const struct lodge_client *client);
LODGE_API int lodge_client_pid(const struct lodge_client *client);

/* Sends one line, which needs no newline. */
LODGE_API int lodge_client_send(struct lodge_client *client, const char *line, struct lodge_error *ret_error);

/*
 * Waits up to timeout_ms (-1: for ever) for the next line: a reply or an event. *ret_line has no newline and is
 * valid until the next call. -ETIMEDOUT; -ECONNRESET: the guest's process is gone.
 */
LODGE_API int lodge_client_receive(
	struct lodge_client *client, int timeout_ms, const char **ret_line, struct lodge_error *ret_error);

#ifdef __cplusplus
}
#endif

#endif
