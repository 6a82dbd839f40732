/*
 * Linked into the lodge command, with the linker's --wrap for ioctl() and lodge_vm_free(): how long at least one
 * thread is in a KVM ioctl, and how long it takes to take a VM apart. That costs two looks at the clock a call, which
 * a guest of some hundred calls does not notice, and nothing of the product is changed for it.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../../vmm/lodge.h"
#include "bench/ioctl_times.h"

int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, ...);
void __real_lodge_vm_free(struct lodge_vm *vm);
void __wrap_lodge_vm_free(struct lodge_vm *vm);

static struct ioctl_times *times;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the next two */
static unsigned inside;                                  /* threads in a KVM ioctl */
static uint64_t since;                                   /* the first of them entered */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

__attribute__((constructor)) static void map_times(void)
{
	const char *path = getenv(IOCTL_TIMES_VARIABLE);
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map = MAP_FAILED;

	if (fd >= 0)
		map = mmap(NULL, sizeof(*times), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED)
		times = map;
	if (fd >= 0)
		close(fd);
}

static void enter(void)
{
	pthread_mutex_lock(&lock);
	if (!inside++)
		since = now_ns();
	pthread_mutex_unlock(&lock);
}

static void leave(void)
{
	pthread_mutex_lock(&lock);
	if (!--inside)
		times->ioctl_ns += now_ns() - since;
	pthread_mutex_unlock(&lock);
	times->ioctls++;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	bool timed = times && _IOC_TYPE(request) == KVMIO;
	va_list arguments;
	void *argument;
	int result;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	if (timed)
		enter();
	result = __real_ioctl(fd, request, argument);
	if (timed)
		leave();
	return result;
}

void __wrap_lodge_vm_free(struct lodge_vm *vm)
{
	uint64_t start = now_ns();

	__real_lodge_vm_free(vm);
	if (times)
		times->close_ns += now_ns() - start;
}
