// A document that was believed once stays in use until a better one is there: an authorization server whose
// metadata is down for an hour may well issue tokens meanwhile.
#include "daemon/oauth/discovery.hpp"

#include <algorithm>
#include <utility>

#include "daemon/oauth/failed_exchange.hpp"
#include "daemon/oauth/oauth_text.hpp"
#include "daemon/oauth/retry.hpp"

namespace grantd::daemon {

namespace {

constexpr std::chrono::hours freshness{1};
constexpr std::chrono::minutes pause_after_failure{1};

HttpRequest request_for(const config::Url& location) {
  return {.method = "GET", .url = location, .headers = {{"Accept", "application/json"}}};
}

constexpr std::string_view no_document = "http_error";
constexpr std::string_view bad_document = "invalid_response";

FailedExchange unavailable(const config::Url& location, std::string_view result, const std::string& why) {
  return {
      .error = {.error = {.code = common::ErrorCode::authorization_server_unavailable,
                          .detail = "the issuer's metadata at " + location.text + " cannot be used: " + why,
                          .retry_after = std::chrono::seconds{1}},
                .memory = FetchError::Memory::transient},
      .result = result};
}

FailedExchange judge_error(const config::Url& location, const TransportError& error) {
  if (error.kind == TransportError::Kind::misconfigured) return judge_transport_error(error);
  FailedExchange failed = unavailable(location, "transport_error", reduce_server_text(error.detail, {}));
  failed.passing = error.kind != TransportError::Kind::bad_response;
  return failed;
}

FailedExchange judge_status(const config::Url& location, const HttpResponse& response, common::WallTime now) {
  const int status = response.status;
  FailedExchange failed = unavailable(location, no_document,
                                      "the answer has status " + std::to_string(status) +
                                          (status / 100 == 3 ? ", and redirects are not followed" : "") +
                                          "; check issuer, or configure token_endpoint in its place");
  failed.passing = status == 408 || status == 429 || status >= 500;
  failed.error.retry_after = parse_retry_after(response.header("Retry-After"), response.header("Date"), now);
  return failed;
}

}  // namespace

DiscoveryTarget discovery_target(const config::ClientSettings& client) {
  return {.rules = {.issuer = *client.issuer,
                    .allow_endpoint_hosts = client.allow_endpoint_hosts,
                    .allow_insecure_http = client.allow_insecure_http},
          .options = connection_options(client)};
}

Discovery::Discovery(DiscoveryTarget target, common::TimerQueue& timers, Transport& transport,
                     common::Logger& log)
    : target_(std::move(target)),
      locations_(metadata_locations(target_.rules.issuer)),
      timers_(timers),
      transport_(transport),
      log_(log) {}

Discovery::~Discovery() = default;

void Discovery::find(common::BootTime deadline, Done done) {
  const bool fresh = known_ && timers_.now() < fresh_until_;
  if (known_ && !doubted_) {
    done(known_);
  } else {
    waiting_.push_back(std::move(done));
  }
  if ((!fresh || doubted_) && !looking_) look_up(deadline);
}

void Discovery::look_up(common::BootTime deadline) {
  looking_ = true;
  deadline_ = deadline;
  location_ = 0;
  failures_.clear();
  ask();
}

void Discovery::ask() {
  transport_.send(request_for(locations_[location_]), target_.options, deadline_,
                  [weak = weak_from_this(), location = location_](const auto& outcome) {
                    if (const auto self = weak.lock()) self->land(location, outcome);
                  });
}

void Discovery::land(std::size_t location, const std::expected<HttpResponse, TransportError>& outcome) {
  const config::Url& where = locations_[location];
  if (!outcome) {
    failures_.push_back(judge_error(where, outcome.error()));
    return give_up();  // the other location is on the same host
  }
  if (outcome->status == 200) {
    auto metadata = read_server_metadata(outcome->body.reveal(), target_.rules);
    if (metadata) return learn(*std::move(metadata));
    failures_.push_back(unavailable(where, bad_document, metadata.error()));
  } else {
    failures_.push_back(judge_status(where, *outcome, timers_.wall_now()));
  }
  if (++location_ == locations_.size()) return give_up();
  ask();
}

void Discovery::learn(ServerMetadata metadata) {
  looking_ = false;
  doubted_ = false;
  fresh_until_ = timers_.now() + freshness;
  if (!known_ || *known_ != metadata) {
    known_ = std::make_shared<const ServerMetadata>(std::move(metadata));
    log_.info("endpoints_discovered",
              {{"issuer", target_.rules.issuer.text}, {"token_endpoint", known_->token_endpoint.text}});
  }
  answer(known_);
}

void Discovery::give_up() {
  looking_ = false;
  // What speaks of a document tells more than that there is none; what may pass is worth another try.
  auto worst = std::ranges::max_element(failures_, {}, [](const FailedExchange& failed) {
    return std::pair{failed.passing, failed.result == bad_document};
  });
  log_.warning("discovery_failed",
               {{"issuer", target_.rules.issuer.text}, {"detail", worst->error.error.detail}});
  if (known_) {
    doubted_ = false;
    fresh_until_ = timers_.now() + pause_after_failure;
    return answer(known_);
  }
  answer(std::unexpected(std::move(*worst)));
}

void Discovery::answer(const Found& found) {
  const auto keep = shared_from_this();
  for (Done& done : std::exchange(waiting_, {})) done(found);
}

std::shared_ptr<Discovery> Discoveries::of(const DiscoveryTarget& target) {
  std::erase_if(known_, [](const auto& weak) { return weak.expired(); });
  for (const auto& weak : known_) {
    if (auto discovery = weak.lock(); discovery->target() == target) return discovery;
  }
  auto made = std::make_shared<Discovery>(target, timers_, transport_, log_);
  known_.push_back(made);
  return made;
}

}  // namespace grantd::daemon
