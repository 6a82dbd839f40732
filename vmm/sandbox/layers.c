#include "sandbox/layers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/sanitized.h"
#include "util/bytes.h"
#include "util/thread.h"

#define BIT(LAYER) (1u << (LAYER))

const char *layer_name(enum sandbox_layer layer)
{
	static const char *const names[] = {
		[LAYER_NO_NEW_PRIVS] = "no_new_privs",
		[LAYER_CAPABILITIES] = "capabilities",
		[LAYER_SECCOMP] = "seccomp",
		[LAYER_LANDLOCK] = "landlock",
		[LAYER_USER_NAMESPACE] = "user_namespace",
		[LAYER_MOUNT_NAMESPACE] = "mount_namespace",
		[LAYER_NETWORK_NAMESPACE] = "network_namespace",
		[LAYER_IPC_NAMESPACE] = "ipc_namespace",
		[LAYER_PID_NAMESPACE] = "pid_namespace",
	};

	return names[layer];
}

unsigned layers_no_new_privs(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? 0 : BIT(LAYER_NO_NEW_PRIVS);
}

unsigned layers_seccomp(void)
{
	uint32_t action = SECCOMP_RET_TRAP;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) ? 0 : BIT(LAYER_SECCOMP);
}

/* Namespaces */

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t count = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return count == (ssize_t)strlen(text);
}

/* In the new one everybody is who he was: files are opened, and clients judged, after this. */
static bool map_ids(uid_t uid, gid_t gid)
{
	char uids[32], gids[32];

	snprintf(uids, sizeof(uids), "%u %u 1", uid, uid);
	snprintf(gids, sizeof(gids), "%u %u 1", gid, gid);
	return write_file("/proc/self/setgroups", "deny") && write_file("/proc/self/gid_map", gids) &&
	       write_file("/proc/self/uid_map", uids);
}

/*
 * Root needs none for the others, and in one would lose its way to other users' files. Without the maps nobody is
 * anybody there; but that host has no /proc, and no user's files to speak of.
 */
unsigned layers_unshare_user(unsigned layers)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (!uid || layers & BIT(LAYER_USER_NAMESPACE) || unshare(CLONE_NEWUSER))
		return 0;
	(void)map_ids(uid, gid);
	return BIT(LAYER_USER_NAMESPACE);
}

unsigned layers_unshare_pid(void)
{
	unsigned layers;

	if (SANITIZED)
		return 0;
	layers = layers_unshare_user(0);
	return layers | (unshare(CLONE_NEWPID) ? 0 : BIT(LAYER_PID_NAMESPACE));
}

unsigned layers_unshare(void)
{
	static const struct {
		int flag;
		enum sandbox_layer layer;
	} all[] = {
		{CLONE_NEWNS, LAYER_MOUNT_NAMESPACE},
		{CLONE_NEWIPC, LAYER_IPC_NAMESPACE},
	};
	unsigned layers = 0, i;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		layers |= unshare(all[i].flag) ? 0 : BIT(all[i].layer);
	return layers;
}

static void *make_network(void *arg)
{
	struct layer_network *network = arg;

	network->fd = unshare(CLONE_NEWNET) ? -1 : open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	network->made = network->fd >= 0;
	return NULL;
}

void layers_begin_network(struct layer_network *network)
{
	network->begun = !thread_start(&network->thread, make_network, network);
}

static void end_network(struct layer_network *network)
{
	if (network->begun)
		pthread_join(network->thread, NULL);
	network->begun = false;
}

unsigned layers_enter_network(struct layer_network *network)
{
	end_network(network);
	/* Without a thread or /proc each has one of its own, as empty. */
	if (network->made ? setns(network->fd, CLONE_NEWNET) : unshare(CLONE_NEWNET))
		return 0;
	return BIT(LAYER_NETWORK_NAMESPACE);
}

void layers_fini_network(struct layer_network *network)
{
	end_network(network);
	if (network->made)
		close(network->fd);
	network->made = false;
}

/*
 * A tmpfs that is read-only and has no room; any folder will do to mount it on. chroot() and no pivot_root(): without a
 * capability there is no way back from either, and to take the old root away costs 3 ms of waiting for RCU.
 */
unsigned layers_empty_root(unsigned layers)
{
	static const char *const places[] = {"/tmp", "/proc", "/dev"};
	unsigned i;

	if (!(layers & BIT(LAYER_MOUNT_NAMESPACE)) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return 0;
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		if (mount("lodge", places[i], "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
			    "size=4k,nr_inodes=1,mode=0555"))
			continue;
		return chdir(places[i]) || chroot(".") ? 0 : BIT(LAYER_MOUNT_NAMESPACE);
	}
	return 0;
}

/* Landlock. Headers and kernels know more or less of it: what the kernel's version has is handled. */

struct ruleset {
	uint64_t files, network, scopes; /* struct landlock_ruleset_attr, of Linux 6.12 */
};

#define RIGHTS(COUNT) ((UINT64_C(1) << (COUNT)) - 1)

/* What may still be done below a folder: files are read and written; they and folders are made and removed. */
#define FOLDER_RIGHTS                                                                                 \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | \
		LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_DIR |                         \
		LANDLOCK_ACCESS_FS_REMOVE_FILE | UINT64_C(1) << 14 /* truncate: Linux 6.2 */)

static unsigned landlock_version(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return version > 0 ? (unsigned)version : 0;
}

/* Rights by the version that brought them: 13, then refer, truncate, TCP's bind and connect, ioctl, scopes. */
static struct ruleset ruleset_of(unsigned version, size_t *ret_size)
{
	static const unsigned file_rights[] = {0, 13, 14, 15, 15, 16};
	struct ruleset set = {.files = RIGHTS(file_rights[MIN(version, 5u)])};

	set.network = version >= 4 ? RIGHTS(2) : 0;
	set.scopes = version >= 6 ? RIGHTS(2) : 0; /* abstract unix sockets, signals */
	*ret_size = version >= 6 ? sizeof(set) : version >= 4 ? 16 : 8;
	return set;
}

unsigned layers_landlock(const int *folders, unsigned count)
{
	unsigned version = landlock_version(), i;
	struct ruleset set;
	size_t size;
	long fd = -1, err;

	if (version) {
		set = ruleset_of(version, &size);
		fd = syscall(SYS_landlock_create_ruleset, &set, size, 0);
	}
	if (fd < 0)
		return 0;
	for (i = 0; i < count; i++) {
		const struct landlock_path_beneath_attr below = {
			.allowed_access = FOLDER_RIGHTS & set.files, .parent_fd = folders[i]};

		syscall(SYS_landlock_add_rule, (int)fd, LANDLOCK_RULE_PATH_BENEATH, &below, 0);
	}
	err = syscall(SYS_landlock_restrict_self, (int)fd, 0);
	close((int)fd);
	return err ? 0 : BIT(LAYER_LANDLOCK);
}

/* Users and capabilities */

/* The C library's setresuid() would do it for all threads, those included whose filter forbids it. */
static bool become(const struct layer_user *user)
{
	return !syscall(SYS_setgroups, 0, NULL) && !syscall(SYS_setresgid, user->gid, user->gid, user->gid) &&
	       !syscall(SYS_setresuid, user->uid, user->uid, user->uid);
}

unsigned layers_drop(const struct layer_user *user)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[2] = {0};
	unsigned capability;

	/* What an execve() could bring back: there is none, but it is cheap. Only who has CAP_SETPCAP can, or need. */
	for (capability = 0; !prctl(PR_CAPBSET_DROP, capability, 0, 0, 0); capability++)
		;
	if (user->uid && !become(user))
		return 0;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &header, none) ? 0 : BIT(LAYER_CAPABILITIES);
}

/* What there is */

unsigned layers_probe(void)
{
	const struct layer_user nobody = {0};
	struct layer_network network = {0};
	unsigned layers = 0;
	pid_t child;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return 0;
	child = fork();
	if (!child) {
		layers = layers_unshare_pid();
		layers |= layers_unshare_user(layers) | layers_unshare() | layers_no_new_privs() |
		          layers_seccomp();
		if (!layers_empty_root(layers))
			layers &= ~BIT(LAYER_MOUNT_NAMESPACE);
		layers |= layers_enter_network(&network) | layers_landlock(NULL, 0) | layers_drop(&nobody);
		_exit(write(fds[1], &layers, sizeof(layers)) != sizeof(layers));
	}
	close(fds[1]);
	if (child < 0 || read(fds[0], &layers, sizeof(layers)) != sizeof(layers))
		layers = 0;
	close(fds[0]);
	if (child > 0)
		waitpid(child, NULL, 0);
	return layers;
}
