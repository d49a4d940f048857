/* Reading one token very often. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "token_reader.h"

int64_t monotonic_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

grantd_client* new_client(void) {
  grantd_client* client = NULL;
  if (grantd_client_new(NULL, &client, NULL) == GRANTD_OK) return client;
  fputs("there is no client\n", stderr);
  exit(2);
}

void read_once(grantd_client* client, const char* name, struct seen* seen, char* version, size_t size) {
  grantd_token* token = NULL;
  const int64_t began = monotonic_ns();
  const grantd_status status = grantd_get_access_token(client, name, NULL, &token, NULL);
  const int64_t took = monotonic_ns() - began;
  if (seen->reads++ == 0) {
    seen->first = took;
  } else if (took > seen->longest) {
    seen->longest = took;
  }
  if (status != GRANTD_OK) {
    ++seen->failed;
    return;
  }
  struct timespec now;
  size_t length = 0;
  clock_gettime(CLOCK_REALTIME, &now);
  if (grantd_token_expires_at(token) + 1 < now.tv_sec) ++seen->expired;
  const char* const value = grantd_token_value(token, &length);
  if (strlen(value) != length || memcmp(grantd_token_authorization(token, NULL), "Bearer ", 7) != 0)
    ++seen->torn;
  if (strcmp(version, grantd_token_version(token, NULL)) != 0) {
    ++seen->versions;
    snprintf(version, size, "%s", grantd_token_version(token, NULL));
  }
  grantd_token_free(token);
}

int watch(const char* name, double seconds) {
  grantd_client* const client = new_client();
  struct seen seen = {0};
  char version[128] = "";
  const int64_t end = monotonic_ns() + (int64_t)(seconds * 1e9);
  while (monotonic_ns() < end) read_once(client, name, &seen, version, sizeof version);
  grantd_client_free(client);
  printf(
      "{\"reads\": %llu, \"failed\": %llu, \"expired\": %llu, \"torn\": %llu, \"versions\": %llu, "
      "\"longest\": %lld}\n",
      (unsigned long long)seen.reads, (unsigned long long)seen.failed, (unsigned long long)seen.expired,
      (unsigned long long)seen.torn, (unsigned long long)seen.versions, (long long)seen.longest);
  return 0;
}

/* Any call but the one that ends the process kills it. */
static int forbid_system_calls(void) {
  struct sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  struct sock_fprog program = {sizeof rules / sizeof rules[0], rules};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

int read_without_system_calls(const char* name, long count) {
  grantd_client* const client = new_client();
  struct seen seen = {0};
  char version[128] = "";
  for (int i = 0; i < 3; ++i) read_once(client, name, &seen, version, sizeof version);
  if (seen.failed != 0) return 1;
  if (!forbid_system_calls()) {
    perror("seccomp");
    return 3;
  }
  for (long i = 0; i < count; ++i) read_once(client, name, &seen, version, sizeof version);
  _exit(seen.failed == 0 && seen.versions == 1 ? 0 : 1);
}

struct shared {
  grantd_client* client;
  const char* name;
  int stop;
};

static void* read_until_stopped(void* given) {
  struct shared* const shared = given;
  struct seen seen = {0};
  char version[128] = "";
  while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED))
    read_once(shared->client, shared->name, &seen, version, sizeof version);
  return seen.failed + seen.torn == 0 ? NULL : shared;
}

/* Every child of a process whose other threads are reading reads, too: over a connection of its own, then out
   of a page of its own. */
int read_beside_forks(const char* name, int forks) {
  struct shared shared = {new_client(), name, 0};
  pthread_t threads[3];
  int wrong = 0;
  for (int i = 0; i < 3; ++i) pthread_create(&threads[i], NULL, read_until_stopped, &shared);
  for (int i = 0; i < forks; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      struct seen seen = {0};
      char version[128] = "";
      for (int n = 0; n < 100; ++n) read_once(shared.client, name, &seen, version, sizeof version);
      _exit(seen.failed + seen.torn == 0 ? 0 : 1);
    }
    int status = 0;
    wrong += child < 0 || waitpid(child, &status, 0) != child || status != 0;
  }
  __atomic_store_n(&shared.stop, 1, __ATOMIC_RELAXED);
  for (int i = 0; i < 3; ++i) {
    void* result = NULL;
    pthread_join(threads[i], &result);
    wrong += result != NULL;
  }
  grantd_client_free(shared.client);
  printf("%d wrong\n", wrong);
  return wrong != 0;
}
