#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

namespace grantd::bench {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;
using Nanoseconds = std::chrono::duration<double, std::nano>;

/// At which parts of all answers a distribution is read: 0, then ever closer to 1, ten steps to each further
/// nine, as far as there are enough answers to speak of; and 1.
inline std::vector<double> quantile_steps(std::size_t answers) {
  std::vector<double> steps;
  for (int step = 0; step <= 50; ++step) {
    const double part = 1 - std::pow(10, -step / 10.0);
    if (static_cast<double>(answers) * (1 - part) < 1) break;
    steps.push_back(part);
  }
  steps.push_back(1);
  return steps;
}

/// Of latencies in ascending order, which must not be none.
inline Nanoseconds quantile(const std::vector<Clock::duration>& sorted, double part) {
  return sorted[static_cast<std::size_t>(static_cast<double>(sorted.size() - 1) * part)];
}

/// "[[part, nanoseconds], ...]". `overhead` is taken off each: what measuring itself took. Sorts.
inline std::string distribution_json(std::vector<Clock::duration>& latencies, Nanoseconds overhead = {}) {
  std::ranges::sort(latencies);
  std::string json = "[";
  for (const double part : latencies.empty() ? std::vector<double>{} : quantile_steps(latencies.size())) {
    const double value = std::max(0.0, (quantile(latencies, part) - overhead).count());
    char text[64];
    std::snprintf(text, sizeof text, "%s[%.7f, %.1f]", json.size() > 1 ? ", " : "", part, value);
    json += text;
  }
  return json + "]";
}

}  // namespace grantd::bench
