#include "bus/msix.h"

#include <linux/pci_regs.h>
#include <string.h>

#include "util/bytes.h"

static_assert(sizeof(struct msix_entry) == MSIX_ENTRY_SIZE, "as in PCI 3.0, figure 6-11");
static_assert(PCI_MSIX_ENTRY_SIZE == MSIX_ENTRY_SIZE, "one and the same");

#define MSI_ADDRESS_TOP 0xfee /* bits 20 and up of every local APIC's address */

/* Called with the lock held, as the next one. */
static void send(struct msix *msix, unsigned vector)
{
	const struct msix_entry *entry = &msix->entries[vector];

	msix->pending[vector] = false;
	/* Intel SDM vol. 3, 11.11.1. Elsewhere it would be a write to memory, and no interrupt. */
	if (entry->address >> 20 == MSI_ADDRESS_TOP)
		msix->msi.send(msix->msi.ctx, (struct msi_message){(uint32_t)entry->address, entry->data});
}

static bool may_send(const struct msix *msix, unsigned vector)
{
	return msix->enabled && !msix->masked &&
	       !(msix->entries[vector].control & PCI_MSIX_ENTRY_CTRL_MASKBIT);
}

void msix_init(struct msix *msix, unsigned count, const struct msi_handle *msi)
{
	memset(msix, 0, sizeof(*msix));
	msix->msi = *msi;
	msix->count = count;
	pthread_mutex_init(&msix->lock, NULL);
	for (unsigned i = 0; i < count; i++)
		msix->entries[i].control = PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

void msix_fini(struct msix *msix)
{
	pthread_mutex_destroy(&msix->lock);
}

void msix_control(struct msix *msix, bool enabled, bool masked)
{
	pthread_mutex_lock(&msix->lock);
	msix->enabled = enabled;
	msix->masked = masked;
	for (unsigned i = 0; i < msix->count; i++)
		if (msix->pending[i] && may_send(msix, i))
			send(msix, i);
	pthread_mutex_unlock(&msix->lock);
}

void msix_send(struct msix *msix, unsigned vector)
{
	if (vector >= msix->count)
		return;
	pthread_mutex_lock(&msix->lock);
	if (may_send(msix, vector))
		send(msix, vector);
	else if (msix->enabled)
		msix->pending[vector] = true;
	pthread_mutex_unlock(&msix->lock);
}

static bool in_table(const struct msix *msix, uint64_t offset, unsigned size)
{
	return (size == 4 || size == 8) && offset % size == 0 &&
	       range_inside(offset, size, 0, (uint64_t)msix->count * MSIX_ENTRY_SIZE);
}

uint64_t msix_table_read(struct msix *msix, uint64_t offset, unsigned size)
{
	uint64_t value;

	if (!in_table(msix, offset, size))
		return 0;
	pthread_mutex_lock(&msix->lock);
	value = load_le((const uint8_t *)msix->entries + offset, size);
	pthread_mutex_unlock(&msix->lock);
	return value;
}

void msix_table_write(struct msix *msix, uint64_t offset, unsigned size, uint64_t value)
{
	unsigned vector = (unsigned)(offset / MSIX_ENTRY_SIZE);

	if (!in_table(msix, offset, size))
		return;
	pthread_mutex_lock(&msix->lock);
	store_le((uint8_t *)msix->entries + offset, value, size);
	msix->entries[vector].address &= ~UINT64_C(3);
	msix->entries[vector].control &= PCI_MSIX_ENTRY_CTRL_MASKBIT;
	if (msix->pending[vector] && may_send(msix, vector))
		send(msix, vector);
	pthread_mutex_unlock(&msix->lock);
}

uint64_t msix_pending_read(struct msix *msix, uint64_t offset, unsigned size)
{
	uint64_t value = 0;

	if ((size != 4 && size != 8) || offset % size)
		return 0;
	pthread_mutex_lock(&msix->lock);
	for (unsigned i = 0; i < 8 * size && offset * 8 + i < msix->count; i++)
		value |= (uint64_t)msix->pending[offset * 8 + i] << i;
	pthread_mutex_unlock(&msix->lock);
	return value;
}
