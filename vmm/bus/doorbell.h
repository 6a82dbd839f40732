/*
 * A doorbell: the guest rings it (through KVM's ioeventfd, or a vCPU thread does in its stead), and a thread
 * that polls its fd serves it. Rings are counted, not queued: many may be answered at once.
 */
#pragma once

struct doorbell {
	int fd; /* an eventfd; -1: none */
};

/* 0 or -errno. */
int doorbell_init(struct doorbell *bell);
void doorbell_fini(struct doorbell *bell);

/* Any thread. */
void doorbell_ring(const struct doorbell *bell);

/* Takes back all rings so far; the serving thread calls it before it looks for work. */
void doorbell_clear(const struct doorbell *bell);
