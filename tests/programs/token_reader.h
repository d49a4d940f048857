#ifndef GRANTD_TESTS_TOKEN_READER_H
#define GRANTD_TESTS_TOKEN_READER_H

#include <grantd/grantd.h>
#include <stdint.h>

/* What one process saw that asked for a definition's token again and again. */
struct seen {
  uint64_t reads;
  uint64_t failed;
  uint64_t expired;  /* at the moment in which it was given */
  uint64_t torn;     /* whose parts do not belong together */
  uint64_t versions; /* how often it was another one than before */
  int64_t longest;   /* call, in nanoseconds; the first one apart */
  int64_t first;
};

int64_t monotonic_ns(void);

/* Ends the program where there can be no client. */
grantd_client* new_client(void);

/* Asks once. */
void read_once(grantd_client* client, const char* name, struct seen* seen, char* version, size_t size);

/* Modes of the program; the exit status is 0 when nothing went wrong. */
int watch(const char* name, double seconds);
int read_without_system_calls(const char* name, long count);
int read_what_is_frozen(const char* name, long count);
int read_beside_forks(const char* name, int forks);
int swarm(const char* name, int count, double seconds);
int reuse_numbers(const char* first, const char* second);

#endif
