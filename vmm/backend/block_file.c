#include "backend/block_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "backend/block_file_io.h"
#include "util/bytes.h"
#include "util/error.h"

#define SECTOR            512u
#define PHYSICAL_SIZE_MAX KIB(64)
#define LOCK_TRIES        60
#define LOCK_PAUSE_US     5000

static bool power_of_two(uint64_t value)
{
	return value != 0 && (value & (value - 1)) == 0;
}

static int open_error(const struct block_file_config *config, int err, struct error *error)
{
	const char *path = config->path;
	const char *why = strerrordesc_np(err);

	switch (err) {
	case ENOENT:
		return error_set(error, ERROR_IMAGE, -err,
			"%s: %s; make an empty disk with `truncate -s 1G %s`", path, why, path);
	case EISDIR:
		return error_set(error, ERROR_IMAGE, -err,
			"%s: is a directory; a disk is a raw image file or a block device", path);
	case EBUSY: /* O_EXCL on a block device */
		return error_set(error, ERROR_IMAGE, -err,
			"%s: in use by another guest or by the host (mounted?); free it or open it read-only (,ro)",
			path);
	case EACCES:
	case EPERM:
	case EROFS:
	case ETXTBSY:
		if (!config->read_only && faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0)
			return error_set(error, ERROR_IMAGE, -err,
				"%s: cannot be written (%s); open it read-only (,ro) or make a copy", path,
				why);
		return error_set(error, ERROR_IMAGE, -err, "%s: %s; see `ls -lL %s` for who may open it",
			path, why, path);
	default:
		return error_set(error, ERROR_IMAGE, -err, "%s: %s", path, why ? why : "unknown error");
	}
}

/* Opens without waiting, whatever the path names, and refuses what is not a disk. */
static int open_path(
	const struct block_file_config *config, int *ret_fd, struct stat *ret_stat, struct error *error)
{
	/*
	 * NONBLOCK: a FIFO or a terminal must not hold us up. EXCL: a block device that the host
	 * has mounted is not written behind its back; without O_CREAT it means nothing to a regular
	 * file.
	 */
	int mode = config->read_only ? O_RDONLY : O_RDWR | O_EXCL;
	int fd = TEMP_FAILURE_RETRY(open(config->path, mode | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
	struct stat st;
	int err;

	if (fd < 0 && errno != ENXIO && errno != ENODEV)
		return open_error(config, errno, error);
	if (fd >= 0 && fstat(fd, &st) < 0)
		err = errno;
	else if (fd >= 0 && S_ISDIR(st.st_mode))
		err = EISDIR;
	else if (fd < 0 || !(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)))
		err = EINVAL;
	else
		err = 0;
	if (err == 0) {
		*ret_fd = fd;
		*ret_stat = st;
		return 0;
	}
	if (fd >= 0)
		close(fd);
	if (err != EINVAL)
		return open_error(config, err, error);
	return error_set(error, ERROR_IMAGE, -err,
		"%s: not a disk; a disk is a raw image file or a block device", config->path);
}

/*
 * Locks of open file descriptions also keep two guests of one process apart, where those of
 * processes do not. They cover the whole file and so meet QEMU's, which are on single bytes.
 */
static int lock_file(const struct block_file_config *config, int fd, struct error *error)
{
	struct flock lock = {
		.l_type = config->read_only ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};
	int err = 0;

	/*
	 * A guest that was killed has the lock until its last request is done and the kernel has taken its ring apart,
	 * which it does a little later.
	 */
	for (unsigned i = 0; i < LOCK_TRIES; i++) {
		if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
			return 0;
		err = errno;
		if (err != EAGAIN && err != EACCES && err != EINTR)
			break;
		usleep(LOCK_PAUSE_US);
	}
	if (err == EAGAIN || err == EACCES)
		return error_set(error, ERROR_IMAGE, -EBUSY,
			"%s: in use by another guest; open it read-only in all of them (,ro) or make a copy",
			config->path);
	/* Some network file systems know no locks; a reader does no harm there. */
	if (config->read_only)
		return 0;
	return error_set(error, ERROR_IMAGE, -err,
		"%s: cannot be locked against other guests (%s); open it read-only (,ro) or move it to a local disk",
		config->path, strerrordesc_np(err));
}

/* Sizes of a block device, as the host's kernel has them. */
static int measure_device(const char *path, struct block_file *file, struct error *error)
{
	unsigned physical = 0;
	int logical = 0;

	if (ioctl(file->fd, BLKGETSIZE64, &file->block.size) < 0 ||
		ioctl(file->fd, BLKSSZGET, &logical) < 0 || ioctl(file->fd, BLKPBSZGET, &physical) < 0)
		return error_set(error, ERROR_IMAGE, -errno, "%s: cannot tell its size: %s", path,
			strerrordesc_np(errno));
	if (file->block.size == 0)
		return error_set(error, ERROR_IMAGE, -EINVAL, "%s: no medium is in this device", path);
	file->block.logical_size = MAX((uint32_t)logical, SECTOR);
	file->block.physical_size = physical;
	return 0;
}

static int measure_file(const char *path, struct block_file *file, const struct stat *st, struct error *error)
{
	uint64_t size = (uint64_t)st->st_size;

	if (size == 0)
		return error_set(error, ERROR_IMAGE, -EINVAL,
			"%s: is empty; give it a size with `truncate -s 1G %s`", path, path);
	if (size % SECTOR)
		return error_set(error, ERROR_IMAGE, -EINVAL,
			"%s: its size, %llu bytes, is not a multiple of 512; round it up with `truncate -s %llu %s`",
			path, (unsigned long long)size, (unsigned long long)align_up(size, SECTOR), path);
	file->block.size = size;
	file->block.logical_size = SECTOR;
	file->block.physical_size = (uint32_t)MIN((uint64_t)st->st_blksize, PHYSICAL_SIZE_MAX);
	return 0;
}

/* What direct I/O must be aligned to, in memory and on the disk; 0, 0 where there is none. */
static void direct_alignment(
	const struct block_file *file, bool device, uint32_t *ret_memory, uint32_t *ret_offset)
{
#ifdef STATX_DIOALIGN
	struct statx stx = {0};

	if (statx(file->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) == 0 &&
		(stx.stx_mask & STATX_DIOALIGN)) {
		*ret_memory = stx.stx_dio_mem_align;
		*ret_offset = stx.stx_dio_offset_align;
		return;
	}
#endif
	/* An older kernel, or a file system that does not say: a page is enough for all of them. */
	*ret_memory = *ret_offset = device ? file->block.logical_size : BLOCK_FILE_ALIGN_MAX;
}

static int set_up_direct(const char *path, struct block_file *file, bool device, struct error *error)
{
	uint32_t memory, offset;

	direct_alignment(file, device, &memory, &offset);
	if (memory == 0 || offset == 0 || fcntl(file->fd, F_SETFL, O_DIRECT) < 0)
		return error_set(error, ERROR_IMAGE, -EINVAL,
			"%s: its file system has no direct I/O; leave `direct` out", path);
	if (!power_of_two(memory) || !power_of_two(offset) || MAX(memory, offset) > BLOCK_FILE_ALIGN_MAX)
		return error_set(error, ERROR_IMAGE, -EINVAL,
			"%s: direct I/O on it needs blocks of %u bytes and lodge knows up to %u; leave `direct` "
			"out",
			path, MAX(memory, offset), BLOCK_FILE_ALIGN_MAX);
	file->block.logical_size = MAX(file->block.logical_size, offset);
	if (file->block.size % file->block.logical_size)
		return error_set(error, ERROR_IMAGE, -EINVAL,
			"%s: its size, %llu bytes, is not a multiple of the %u that direct I/O "
			"needs; leave `direct` out or round it up with `truncate -s %llu %s`",
			path, (unsigned long long)file->block.size, file->block.logical_size,
			(unsigned long long)align_up(file->block.size, file->block.logical_size), path);
	if (block_file_set_direct(file, memory) < 0)
		return error_set(error, ERROR_VMM, -ENOMEM, "%s: out of memory", path);
	return 0;
}

/* A block device punches holes if it can zero blocks by itself; a partition asks its disk. */
static bool device_can_discard(dev_t device)
{
	static const char *const queues[] = {"queue", "../queue"};

	for (unsigned i = 0; i < ARRAY_SIZE(queues); i++) {
		unsigned long long max = 0;
		char path[96];
		FILE *file;

		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/write_zeroes_max_bytes", major(device),
			minor(device), queues[i]);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fscanf(file, "%llu", &max) != 1)
			max = 0;
		fclose(file);
		return max > 0;
	}
	return false;
}

/* Asks the file system to punch a hole where the file has ended, which changes nothing. */
static bool file_can_discard(const struct block_file *file)
{
	uint64_t beyond = align_up(file->block.size, PHYSICAL_SIZE_MAX);

	return fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)beyond, 4096) == 0;
}

/* From an open fd to a disk without an engine. */
static int set_up(struct block_file *file, const struct block_file_config *config, const struct stat *st,
	struct error *error)
{
	bool device = S_ISBLK(st->st_mode);
	struct block_backend *block = &file->block;
	int r;

	block->read_only = config->read_only;
	if (device)
		r = measure_device(config->path, file, error);
	else
		r = measure_file(config->path, file, st, error);
	if (r < 0)
		return r;
	/* NONBLOCK has done its work. */
	if (fcntl(file->fd, F_SETFL, 0) < 0)
		return error_set(error, ERROR_IMAGE, -errno, "%s: %s", config->path, strerrordesc_np(errno));
	if (config->direct)
		r = set_up_direct(config->path, file, device, error);
	if (r < 0)
		return r;
	if (!power_of_two(block->physical_size))
		block->physical_size = 4096;
	block->physical_size = MAX(block->physical_size, block->logical_size);
	if (!block->read_only) {
		block->can_discard = device ? device_can_discard(st->st_rdev) : file_can_discard(file);
		block->can_write_zeroes = true;
	}
	return 0;
}

static int start_engine(struct block_file *file, const struct block_file_config *config, struct error *error)
{
	int r = config->aio == BLOCK_AIO_THREADS ? -ENOSYS : block_uring_start(file);

	if (r < 0 && config->aio == BLOCK_AIO_URING)
		return error_set(error, ERROR_HOST, r,
			"%s: this host has no io_uring for us (%s; see /proc/sys/kernel/io_uring_disabled); leave "
			"`aio=io_uring` out",
			config->path, strerrordesc_np(-r));
	if (r < 0)
		r = block_threads_start(file, config);
	if (r < 0)
		return error_set(error, ERROR_VMM, r, "%s: starting its threads: %s", config->path,
			strerrordesc_np(-r));
	return 0;
}

/* The fd is the disk's from here on, also on failure. */
static int new_file(int fd, const struct block_file_config *config, const struct stat *st,
	struct block_file **ret_file, struct error *error)
{
	struct block_file *file = calloc(1, sizeof(*file));
	int r;

	if (!file) {
		close(fd);
		return error_set(error, ERROR_VMM, -ENOMEM, "%s: out of memory", config->path);
	}
	file->fd = fd;
	pthread_mutex_init(&file->bounce_lock, NULL);
	r = set_up(file, config, st, error);
	if (r < 0) {
		block_file_free(file);
		return r;
	}
	*ret_file = file;
	return 0;
}

int block_file_open(
	const struct block_file_config *config, struct block_backend **ret_block, struct error *error)
{
	struct block_file *file = NULL;
	struct stat st = {0};
	int fd = -1, r;

	r = open_path(config, &fd, &st, error);
	if (r < 0)
		return r;
	r = lock_file(config, fd, error);
	if (r < 0) {
		close(fd);
		return r;
	}
	r = new_file(fd, config, &st, &file, error);
	if (r < 0)
		return r;
	r = start_engine(file, config, error);
	if (r < 0) {
		block_file_free(file);
		return r;
	}
	*ret_block = &file->block;
	return 0;
}

int block_memory_open(uint64_t size, struct block_backend **ret_block, struct error *error)
{
	static const char text[] = "lodge demo disk\n";
	const struct block_file_config config = {.path = "demo disk"};
	struct block_file *file = NULL;
	struct stat st;
	int fd, err;

	if (size == 0 || size % SECTOR || size > INT64_MAX)
		return error_set(error, ERROR_USAGE, -EINVAL,
			"demo disk: its size, %llu bytes, is not a multiple of 512",
			(unsigned long long)size);
	fd = memfd_create("lodge-demo-disk", MFD_CLOEXEC);
	if (fd < 0)
		return error_set(error, ERROR_VMM, -errno, "demo disk: %s", strerrordesc_np(errno));
	if (ftruncate(fd, (off_t)size) < 0 || pwrite(fd, text, sizeof(text) - 1, 0) < 0 ||
		fstat(fd, &st) < 0) {
		err = errno;
		close(fd);
		return error_set(error, ERROR_VMM, -err, "demo disk: %s", strerrordesc_np(err));
	}
	err = new_file(fd, &config, &st, &file, error);
	if (err < 0)
		return err;
	block_memory_start(file);
	*ret_block = &file->block;
	return 0;
}
