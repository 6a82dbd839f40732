#include "devices/pc_testdev.h"

#include <errno.h>
#include <stdlib.h>

#include "util/bytes.h"

/* The registers, of four bytes each. */
enum {
	REGISTER_LATCH = 0,
	REGISTER_FLUSH = 1,
	REGISTER_LATCH_BYTES = 2, /* the same latch; QEMU takes wider accesses there apart */
};

/* An access that passes its register's end reaches none. */
static int register_of(uint64_t offset, unsigned size)
{
	return offset % 4 + size <= 4 ? (int)(offset / 4) : -1;
}

static uint64_t register_read(void *dev, uint64_t offset, unsigned size)
{
	struct pc_testdev *testdev = dev;
	int number = register_of(offset, size);
	uint32_t latch;

	if (number != REGISTER_LATCH && number != REGISTER_LATCH_BYTES)
		return UINT64_MAX;
	pthread_mutex_lock(&testdev->lock);
	latch = testdev->latch;
	pthread_mutex_unlock(&testdev->lock);
	return latch >> (offset % 4 * 8);
}

static void latch_write(struct pc_testdev *testdev, unsigned byte, unsigned size, uint32_t value)
{
	uint32_t mask = (uint32_t)all_ones(size) << (byte * 8);

	pthread_mutex_lock(&testdev->lock);
	testdev->latch = (testdev->latch & ~mask) | (value << (byte * 8) & mask);
	pthread_mutex_unlock(&testdev->lock);
}

static void register_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct pc_testdev *testdev = dev;

	switch (register_of(offset, size)) {
	case REGISTER_LATCH:
	case REGISTER_LATCH_BYTES:
		latch_write(testdev, (unsigned)offset % 4, size, (uint32_t)value);
		break;
	case REGISTER_FLUSH:
		if (size == 4)
			testdev->config.flush_page(testdev->config.flush_ctx, value);
		break;
	default:
		break;
	}
}

const struct bus_ops pc_testdev_register_ops = {
	.read = register_read,
	.write = register_write,
	.sizes = 1 | 2 | 4,
};

static uint64_t line_read(void *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	(void)offset;
	(void)size;
	return UINT64_MAX;
}

/* A wider access is one of as many bytes, each a line's: kvm-unit-tests does that in realmode. */
static void line_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct pc_testdev *testdev = dev;
	unsigned i;

	for (i = 0; i < size; i++)
		irq_set(&testdev->config.lines[offset + i], (value >> (8 * i) & 0xff) != 0);
}

const struct bus_ops pc_testdev_line_ops = {
	.read = line_read,
	.write = line_write,
	.sizes = 1 | 2 | 4,
};

static uint64_t memory_read(void *dev, uint64_t offset, unsigned size)
{
	struct pc_testdev *testdev = dev;
	uint64_t value;

	pthread_mutex_lock(&testdev->lock);
	value = load_le(testdev->memory + offset, size);
	pthread_mutex_unlock(&testdev->lock);
	return value;
}

static void memory_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct pc_testdev *testdev = dev;

	pthread_mutex_lock(&testdev->lock);
	store_le(testdev->memory + offset, value, size);
	pthread_mutex_unlock(&testdev->lock);
}

const struct bus_ops pc_testdev_memory_ops = {
	.read = memory_read,
	.write = memory_write,
	.sizes = 1 | 2 | 4 | 8,
};

int pc_testdev_init(struct pc_testdev *testdev, const struct pc_testdev_config *config)
{
	*testdev = (struct pc_testdev){
		.config = *config,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.memory = calloc(1, PC_TESTDEV_MEMORY),
	};
	return testdev->memory ? 0 : -ENOMEM;
}

void pc_testdev_fini(struct pc_testdev *testdev)
{
	free(testdev->memory);
	testdev->memory = NULL;
	pthread_mutex_destroy(&testdev->lock);
}
