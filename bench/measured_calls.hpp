#pragma once

#include <time.h>

#include <atomic>
#include <barrier>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bench/latencies.hpp"

/// What the programs that call something over and over in one process have in common: so that a floor and
/// what is held against it differ in the call alone.
namespace grantd::bench {

struct CallOptions {
  std::size_t threads = 1;
  double seconds = 1;
  std::size_t samples = 0;  // calls that are timed one by one afterwards
};

/// Takes one of the options above out of the command line; false: it is another one.
inline bool read_call_option(CallOptions& options, std::string_view name, const std::string& value) {
  if (name == "--threads") {
    options.threads = std::stoul(value);
  } else if (name == "--seconds") {
    options.seconds = std::stod(value);
  } else if (name == "--samples") {
    options.samples = std::stoul(value);
  } else {
    return false;
  }
  return true;
}

/// Calls `take(name, value)` for each pair of the command line. Throws std::invalid_argument where it says
/// no.
template <class Take>
void read_options(int argc, char** argv, Take take) {
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 == argc || !take(std::string_view{argv[i]}, std::string{argv[i + 1]}))
      throw std::invalid_argument("unknown option or one without its value: " + std::string{argv[i]});
  }
}

inline double process_cpu_seconds() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

/// Keeps the compiler from leaving out what made `value`.
template <class Value>
void keep(const Value& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

/// The latencies of single calls, and what the two readings of the clock around each take of them.
template <class Call>
std::string sampled_distribution(std::size_t samples, Call& call) {
  std::vector<Clock::duration> latencies;
  std::vector<Clock::duration> empty;
  latencies.reserve(samples);
  empty.reserve(samples);
  for (std::size_t i = 0; i < samples; ++i) {
    const auto begun = Clock::now();
    call();
    const auto done = Clock::now();
    latencies.push_back(done - begun);
    empty.push_back(Clock::now() - done);
  }
  if (samples == 0) return "[]";
  std::ranges::sort(empty);
  return distribution_json(latencies, quantile(empty, 0.5));
}

/// Runs what `make_call()` gives, one for each thread, over and over; prints the result as a line of JSON.
template <class MakeCall>
void measure_calls(const CallOptions& options, MakeCall make_call) {
  constexpr int batch = 16;
  std::atomic<bool> over = false;
  std::vector<std::uint64_t> counts(options.threads);
  std::barrier at_start{static_cast<std::ptrdiff_t>(options.threads + 1)};
  std::vector<std::jthread> threads;
  for (std::uint64_t& count : counts) {
    threads.emplace_back([&] {
      auto call = make_call();
      for (int i = 0; i < batch; ++i) call();
      at_start.arrive_and_wait();
      std::uint64_t done = 0;
      while (!over.load(std::memory_order_relaxed)) {
        for (int i = 0; i < batch; ++i) call();
        done += batch;
      }
      count = done;
    });
  }
  at_start.arrive_and_wait();
  const double cpu = process_cpu_seconds();
  const auto begun = Clock::now();
  std::this_thread::sleep_for(Seconds{options.seconds});
  over = true;
  const double seconds = Seconds{Clock::now() - begun}.count();
  for (std::jthread& thread : threads) thread.join();
  const double used = process_cpu_seconds() - cpu;
  std::uint64_t calls = 0;
  for (const std::uint64_t count : counts) calls += count;
  auto call = make_call();
  call();
  std::printf("{\"calls\": %llu, \"seconds\": %.6f, \"cpu_seconds\": %.6f, \"distribution\": %s}\n",
              static_cast<unsigned long long>(calls), seconds, used,
              sampled_distribution(options.samples, call).c_str());
}

/// What `run` throws, as an exit status.
template <class Run>
int exit_status_of(const char* program, Run run) {
  try {
    run();
    return 0;
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "%s: %s\n", program, error.what());
    return 64;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", program, error.what());
    return 1;
  }
}

}  // namespace grantd::bench
