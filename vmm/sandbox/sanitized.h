/*
 * Builds with a sanitizer (`make FLAVOR=asan`, tsan): its run time makes calls of its own, in each thread, and reads
 * /proc to report a leak at the end. So these are on the lists there (filter.c), and the file system and
 * the numbers of processes stay in sight.
 */
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif
