/* Many processes, each with a client of its own, that read one token now and then, all through its renewals.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "token_reader.h"

enum { pause_ms = 50 };

struct barrier {
  int ready;
  int go;
};

static void be_one(const char* name, int number, struct barrier* barrier, struct seen* seen, double seconds) {
  grantd_client* const client = new_client();
  char version[128] = "";
  __atomic_fetch_add(&barrier->ready, 1, __ATOMIC_ACQ_REL);
  while (!__atomic_load_n(&barrier->go, __ATOMIC_ACQUIRE)) poll(NULL, 0, 5);
  const int64_t end = monotonic_ns() + (int64_t)(seconds * 1e9);
  read_once(client, name, seen, version, sizeof version);
  poll(NULL, 0, number % pause_ms); /* not all at once any more */
  while (monotonic_ns() < end) {
    read_once(client, name, seen, version, sizeof version);
    poll(NULL, 0, pause_ms);
  }
  grantd_client_free(client);
}

static int by_value(const void* a, const void* b) {
  const int64_t left = *(const int64_t*)a;
  const int64_t right = *(const int64_t*)b;
  return (left > right) - (left < right);
}

int swarm(const char* name, int count, double seconds) {
  const size_t size = sizeof(struct barrier) + (size_t)count * sizeof(struct seen);
  void* const memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 2;
  struct seen* const all = memory;
  struct barrier* const barrier = (struct barrier*)(all + count);
  for (int i = 0; i < count; ++i) {
    const pid_t child = fork();
    if (child < 0) return 2;
    if (child == 0) {
      be_one(name, i, barrier, &all[i], seconds);
      _exit(0);
    }
  }
  while (__atomic_load_n(&barrier->ready, __ATOMIC_ACQUIRE) < count) poll(NULL, 0, 5);
  __atomic_store_n(&barrier->go, 1, __ATOMIC_RELEASE);
  while (wait(NULL) > 0) {
  }
  struct seen sum = {0};
  int64_t* const longest = calloc((size_t)count, sizeof *longest);
  int64_t first = 0;
  uint64_t fewest = UINT64_MAX;
  for (int i = 0; i < count; ++i) {
    sum.reads += all[i].reads;
    sum.failed += all[i].failed;
    sum.expired += all[i].expired;
    sum.torn += all[i].torn;
    longest[i] = all[i].longest;
    if (all[i].first > first) first = all[i].first;
    if (all[i].versions < fewest) fewest = all[i].versions;
  }
  qsort(longest, (size_t)count, sizeof *longest, by_value);
  printf(
      "{\"reads\": %llu, \"failed\": %llu, \"expired\": %llu, \"torn\": %llu, \"versions\": %llu, \"first\": "
      "%lld, "
      "\"median\": %lld, \"longest\": %lld}\n",
      (unsigned long long)sum.reads, (unsigned long long)sum.failed, (unsigned long long)sum.expired,
      (unsigned long long)sum.torn, (unsigned long long)fewest, (long long)first,
      (long long)longest[count / 2], (long long)longest[count - 1]);
  free(longest);
  return 0;
}
