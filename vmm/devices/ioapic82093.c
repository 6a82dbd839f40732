#include "devices/ioapic82093.h"

#include <stddef.h>

/* Section numbers are those of the 82093AA's data sheet (Intel 290566). */

/* 3.1: what the CPU sees. */
enum { IOREGSEL = 0x00, IOWIN = 0x10 };

/* 3.2: what the window shows. From ENTRIES on, two registers of 32 bits an entry. */
enum { ID = 0x00, VERSION = 0x01, ARBITRATION = 0x02, ENTRIES = 0x10 };

#define ID_SHIFT     24
#define ID_MASK      0xf
#define CHIP_VERSION (0x11 | (IOAPIC82093_PINS - 1) << 16)

/* 3.2.4, an entry. Delivery status (bit 12) reads 0, idle: a message is gone at once. */
#define VECTOR     UINT64_C(0xff)
#define DELIVERY   UINT64_C(0x700) /* the mode has the same place in a message */
#define LOGICAL    UINT64_C(0x800)
#define REMOTE_IRR UINT64_C(0x4000) /* a local APIC has it, and has not ended it */
#define LEVEL      UINT64_C(0x8000)
#define MASKED     UINT64_C(0x10000)
#define LOW_WRITABLE \
	UINT64_C(0x1afff) /* the polarity (bit 13) is kept, and means nothing: pins are active high */
#define DEST_SHIFT 56
#define DEST       (UINT64_C(0xff) << DEST_SHIFT)

/* Intel SDM vol. 3, 11.11: a message. */
#define MSI_ADDRESS      0xfee00000u
#define MSI_DEST_SHIFT   12
#define MSI_LOGICAL      0x4u
#define MSI_LEVEL_ASSERT 0xc000u

static struct msi_message message_of(uint64_t entry)
{
	struct msi_message message = {
		.address = MSI_ADDRESS | (uint32_t)(entry >> DEST_SHIFT) << MSI_DEST_SHIFT,
		.data = (uint32_t)(entry & (VECTOR | DELIVERY)),
	};

	if (entry & LOGICAL)
		message.address |= MSI_LOGICAL;
	if (entry & LEVEL)
		message.data |= MSI_LEVEL_ASSERT;
	return message;
}

/* All below are called with the lock held. */

/* There is a signal: an edge just now, or a level that may have been told of already. */
static void deliver(struct ioapic82093 *ioapic, unsigned pin)
{
	uint64_t *entry = &ioapic->state.entries[pin];

	if (*entry & (MASKED | REMOTE_IRR))
		return;
	if (ioapic->config.msi.send(ioapic->config.msi.ctx, message_of(*entry)) && (*entry & LEVEL))
		*entry |= REMOTE_IRR;
}

static void deliver_level(struct ioapic82093 *ioapic, unsigned pin)
{
	if ((ioapic->state.entries[pin] & LEVEL) && (ioapic->state.high >> pin & 1))
		deliver(ioapic, pin);
}

static void set(struct ioapic82093 *ioapic, unsigned pin, bool level)
{
	struct ioapic82093_state *state = &ioapic->state;
	bool rises = level && !(state->high >> pin & 1);

	state->high = (state->high & ~(1u << pin)) | (uint32_t)level << pin;
	if (state->entries[pin] & LEVEL)
		deliver_level(ioapic, pin);
	else if (rises)
		deliver(ioapic, pin);
}

static void watch(struct ioapic82093 *ioapic)
{
	struct msi_message messages[IOAPIC82093_PINS];
	unsigned pin, count = 0;

	for (pin = 0; pin < IOAPIC82093_PINS; pin++) {
		if (ioapic->state.entries[pin] & LEVEL)
			messages[count++] = message_of(ioapic->state.entries[pin]);
	}
	ioapic->config.msi.watch(ioapic->config.msi.ctx, messages, count);
}

static void write_entry(struct ioapic82093 *ioapic, unsigned number, uint32_t value)
{
	unsigned pin = number / 2;
	uint64_t *entry = &ioapic->state.entries[pin], old = *entry;

	if (number % 2)
		*entry = (*entry & ~DEST) | ((uint64_t)value << 32 & DEST);
	else
		*entry = (*entry & ~LOW_WRITABLE) | (value & LOW_WRITABLE);
	/* Nobody ends an edge. Linux gets rid of a remote IRR that is stuck this way. */
	if (!(*entry & LEVEL))
		*entry &= ~REMOTE_IRR;
	/* Masked ones too: what was sent before the mask still ends. */
	if (((old | *entry) & LEVEL) && ((old ^ *entry) & (VECTOR | DELIVERY | LOGICAL | LEVEL | DEST)))
		watch(ioapic);
	deliver_level(ioapic, pin);
}

static uint32_t read_register(const struct ioapic82093_state *state)
{
	unsigned number = state->index;

	switch (number) {
	case ID:
	case ARBITRATION: /* 3.2.3: it is loaded with the ID */
		return (uint32_t)state->id << ID_SHIFT;
	case VERSION:
		return CHIP_VERSION;
	default:
		if (number < ENTRIES || number >= ENTRIES + 2 * IOAPIC82093_PINS)
			return UINT32_MAX;
		number -= ENTRIES;
		return (uint32_t)(state->entries[number / 2] >> number % 2 * 32);
	}
}

static uint64_t ioapic_read(void *dev, uint64_t offset, unsigned size)
{
	struct ioapic82093 *ioapic = dev;
	uint64_t value = UINT64_MAX;

	(void)size;
	pthread_mutex_lock(&ioapic->lock);
	if (offset == IOREGSEL)
		value = ioapic->state.index;
	else if (offset == IOWIN)
		value = read_register(&ioapic->state);
	pthread_mutex_unlock(&ioapic->lock);
	return value;
}

static void ioapic_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct ioapic82093 *ioapic = dev;
	struct ioapic82093_state *state = &ioapic->state;

	(void)size;
	pthread_mutex_lock(&ioapic->lock);
	if (offset == IOREGSEL)
		state->index = (uint8_t)value;
	else if (offset == IOWIN && state->index == ID)
		state->id = value >> ID_SHIFT & ID_MASK;
	else if (offset == IOWIN && state->index >= ENTRIES && state->index < ENTRIES + 2 * IOAPIC82093_PINS)
		write_entry(ioapic, state->index - ENTRIES, (uint32_t)value);
	pthread_mutex_unlock(&ioapic->lock);
}

/* The data sheet wants 32 bits; others are taken as KVM's own IOAPIC takes them. */
const struct bus_ops ioapic82093_ops = {
	.read = ioapic_read,
	.write = ioapic_write,
	.sizes = 1 | 2 | 4 | 8,
};

void ioapic82093_init(struct ioapic82093 *ioapic, const struct ioapic82093_config *config)
{
	unsigned pin;

	*ioapic = (struct ioapic82093){.config = *config, .lock = PTHREAD_MUTEX_INITIALIZER};
	for (pin = 0; pin < IOAPIC82093_PINS; pin++)
		ioapic->state.entries[pin] = MASKED;
}

void ioapic82093_fini(struct ioapic82093 *ioapic)
{
	pthread_mutex_destroy(&ioapic->lock);
}

void ioapic82093_set(struct ioapic82093 *ioapic, unsigned pin, bool level)
{
	pthread_mutex_lock(&ioapic->lock);
	set(ioapic, pin, level);
	pthread_mutex_unlock(&ioapic->lock);
}

void ioapic82093_raise(struct ioapic82093 *ioapic, unsigned pin)
{
	pthread_mutex_lock(&ioapic->lock);
	set(ioapic, pin, false);
	set(ioapic, pin, true);
	pthread_mutex_unlock(&ioapic->lock);
}

void ioapic82093_eoi(struct ioapic82093 *ioapic, uint8_t vector)
{
	unsigned pin;

	pthread_mutex_lock(&ioapic->lock);
	for (pin = 0; pin < IOAPIC82093_PINS; pin++) {
		uint64_t *entry = &ioapic->state.entries[pin];

		if (!(*entry & REMOTE_IRR) || (*entry & VECTOR) != vector)
			continue;
		*entry &= ~REMOTE_IRR;
		deliver_level(ioapic, pin);
	}
	pthread_mutex_unlock(&ioapic->lock);
}
