/* A guest's place among the others: its name, its sockets, and the server behind one of them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/cgroup.h"
#include "control/runtime_dir.h"
#include "control/server.h"
#include "lodge_control.h"
#include "machine/lodge_error.h"
#include "util/bytes.h"
#include "util/error.h"

#define BACKLOG   16
#define NAMES_MAX 100000 /* of one kernel's guests, when names are made up */

struct lodge_instance {
	struct runtime_entry entry;
	int console_fd, control_fd;
	struct cgroup cgroup;
	struct server *server;
};

static_assert(
	sizeof(((struct runtime_entry *)0)->name) == LODGE_NAME_MAX + 1, "a name's length is said twice");

static int listen_at(const char *name, const char *file, int *ret_fd, struct error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, err = runtime_path(name, file, address.sun_path, error);

	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		goto fail;
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) || chmod(address.sun_path, 0600) ||
		listen(fd, BACKLOG))
		goto fail;
	*ret_fd = fd;
	return 0;
fail:
	err = -errno;
	if (fd >= 0)
		close(fd);
	return error_set(error, ERROR_HOST, err, "%s: %s", address.sun_path, strerror(-err));
}

/* "lodger-1" and so on: the kernel's file, of what a name may have, and the first number that is free. */
static int claim_made_up(const char *kernel, struct runtime_entry *entry, struct error *error)
{
	char stem[LODGE_NAME_MAX - 8], name[LODGE_NAME_MAX + 1];
	const char *from = kernel ? kernel : "lodger";
	unsigned number;
	size_t len = 0;
	int err = -EEXIST;

	if (strrchr(from, '/'))
		from = strrchr(from, '/') + 1;
	for (; *from && len < sizeof(stem) - 1; from++) {
		stem[len] = *from;
		stem[len + 1] = '\0';
		if (runtime_name_valid(stem))
			len++;
	}
	stem[len] = '\0';
	for (number = 1; err == -EEXIST && number < NAMES_MAX; number++) {
		snprintf(name, sizeof(name), "%s-%u", len ? stem : "guest", number);
		err = runtime_claim(name, entry, error);
	}
	return err;
}

int lodge_instance_new(const char *name, const char *kernel, struct lodge_instance **ret_instance,
	struct lodge_error *ret_error)
{
	struct error error = {.kind = ERROR_VMM, .text = "out of memory"};
	struct lodge_instance *instance = calloc(1, sizeof(*instance));
	int err = -ENOMEM;

	if (!instance)
		return lodge_error_from(&error, err, ret_error);
	instance->console_fd = instance->control_fd = -1;
	err = name ? runtime_claim(name, &instance->entry, &error)
	           : claim_made_up(kernel, &instance->entry, &error);
	if (!err)
		cgroup_init(&instance->cgroup, instance->entry.name, instance->entry.dir_fd);
	if (!err)
		cgroup_seek(&instance->cgroup);
	if (!err)
		err = listen_at(instance->entry.name, CONSOLE_SOCKET, &instance->console_fd, &error);
	if (!err)
		err = listen_at(instance->entry.name, CONTROL_SOCKET, &instance->control_fd, &error);
	if (err) {
		lodge_instance_free(instance);
		return lodge_error_from(&error, err, ret_error);
	}
	*ret_instance = instance;
	return 0;
}

const char *lodge_instance_name(const struct lodge_instance *instance)
{
	return instance->entry.name;
}

int lodge_instance_console(const struct lodge_instance *instance)
{
	return instance->console_fd;
}

unsigned lodge_instance_folders(const struct lodge_instance *instance, int ret_folders[LODGE_FOLDERS_MAX])
{
	unsigned count = 0;

	ret_folders[count++] = instance->entry.base_fd;
	ret_folders[count++] = instance->entry.dir_fd;
	if (instance->cgroup.top_fd >= 0)
		ret_folders[count++] = instance->cgroup.top_fd;
	return count;
}

int lodge_limits_check(
	const struct lodge_limits *limits, const struct lodge_config *config, struct lodge_error *ret_error)
{
	struct error error;
	int err = cgroup_check(limits, config, &error);

	return err ? lodge_error_from(&error, err, ret_error) : 0;
}

int lodge_instance_limit(
	struct lodge_instance *instance, const struct lodge_limits *limits, struct lodge_error *ret_error)
{
	struct error error;
	int err = cgroup_limit(&instance->cgroup, limits, &error);

	return err ? lodge_error_from(&error, err, ret_error) : 0;
}

int lodge_instance_serve(struct lodge_instance *instance, struct lodge_vm *vm,
	const struct lodge_config *config, struct lodge_error *ret_error)
{
	const int fds[] = {instance->console_fd, instance->control_fd};
	struct error error;
	unsigned i;
	int err = 0;

	/* Clients see the process that listened last: this one, if another one claimed the name and forked. */
	for (i = 0; !err && i < ARRAY_SIZE(fds); i++)
		err = listen(fds[i], BACKLOG) ? -errno : 0;
	if (!err)
		err = server_start(&instance->server, instance->control_fd, instance->entry.name, vm, config,
			&instance->cgroup);
	if (!err)
		return 0;
	error_set(&error, ERROR_VMM, err, "the control socket: %s", strerror(-err));
	return lodge_error_from(&error, err, ret_error);
}

void lodge_instance_finish(struct lodge_instance *instance, const struct lodge_result *result)
{
	if (instance->server)
		server_finish(instance->server, result);
	cgroup_let_go(&instance->cgroup);
	runtime_release(&instance->entry);
}

static void close_sockets(struct lodge_instance *instance)
{
	if (instance->console_fd >= 0)
		close(instance->console_fd);
	if (instance->control_fd >= 0)
		close(instance->control_fd);
}

void lodge_instance_leave(struct lodge_instance *instance)
{
	runtime_forget(&instance->entry);
	*instance->cgroup.path = '\0'; /* it is the other one's */
	cgroup_fini(&instance->cgroup);
	close_sockets(instance);
	free(instance);
}

void lodge_instance_free(struct lodge_instance *instance)
{
	if (!instance)
		return;
	/* After the VM, and before a client sees the connection's end: nothing is left of the guest then. */
	cgroup_fini(&instance->cgroup);
	runtime_release(&instance->entry);
	server_free(instance->server);
	close_sockets(instance);
	free(instance);
}
