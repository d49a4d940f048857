#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <string_view>

namespace grantd::daemon {

/// Where a handed-out token came from; the label values of `grantd_tokens_served_total`.
enum class TokenOrigin { cache, fetched, renewing, shared };

/// Upper bounds of the buckets of `grantd_token_request_duration_seconds`.
inline constexpr std::array<double, 11> duration_buckets{0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                         0.5,   1.0,  2.5,   5.0,  10.0};
/// By TokenOrigin.
inline constexpr std::array<const char*, 4> served_sources{"cache", "fetched", "renewing", "shared"};
/// As ExchangeObserver has them.
inline constexpr std::array<const char*, 6> request_results{
    "success", "oauth_error", "http_error", "transport_error", "timeout", "invalid_response"};

/// Of one client definition, since the start of the process.
struct ClientCounts {
  std::array<std::uint64_t, served_sources.size()> served{};
  std::array<std::uint64_t, request_results.size()> requests{};
  std::array<std::uint64_t, duration_buckets.size() + 1> durations{};  // by bucket; the last has no bound
  double seconds = 0;
};

/// The counters of one client definition: plain numbers, for they are on the way of every token. Loop thread
/// only.
class ClientMetrics {
 public:
  void token_served(TokenOrigin origin) { ++counts_.served[static_cast<std::size_t>(origin)]; }
  /// `result` as ExchangeObserver has it; another is timed, but not counted.
  void token_request(std::string_view result, std::chrono::nanoseconds duration) {
    const double seconds = std::chrono::duration<double>(duration).count();
    const auto bucket = std::ranges::lower_bound(duration_buckets, seconds) - duration_buckets.begin();
    ++counts_.durations[static_cast<std::size_t>(bucket)];
    counts_.seconds += seconds;
    const auto known = std::ranges::find(request_results, result);
    if (known == request_results.end()) return;
    ++counts_.requests[static_cast<std::size_t>(known - request_results.begin())];
  }

  const ClientCounts& counts() const { return counts_; }
  /// Tokens handed out, wherever they came from.
  std::uint64_t served() const {
    return std::accumulate(counts_.served.begin(), counts_.served.end(), std::uint64_t{0});
  }

 private:
  ClientCounts counts_;
};

}  // namespace grantd::daemon
