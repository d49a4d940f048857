#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/entropy.hpp"
#include "daemon/catalog/token_access.hpp"
#include "daemon/oauth/dpop_nonces.hpp"
#include "daemon/proxy/relay_buffer.hpp"
#include "daemon/proxy/relay_pipes.hpp"
#include "daemon/proxy/replay_buffer.hpp"
#include "daemon/proxy/request_pump.hpp"
#include "daemon/proxy/response_relay.hpp"
#include "daemon/proxy/retry_policy.hpp"
#include "daemon/proxy/upstream_pool.hpp"
#include "daemon/server/handler.hpp"

namespace grantd::daemon {

/// Memory that calls share; shared itself, because a call may be dropped after the handler.
struct ProxyMemory {
  std::shared_ptr<RelayMemory> relay = std::make_shared<RelayMemory>();
  std::shared_ptr<RelayPipes> pipes = std::make_shared<RelayPipes>();
  std::shared_ptr<ReplayBudget> replay = std::make_shared<ReplayBudget>();
};

/// What a call works with; all but the memory outlive it.
struct CallParts {
  Loop& loop;
  common::Entropy& entropy;
  DpopNonces& nonces;  // of APIs
  const ProxyMemory& memory;
};

/// One request of a caller that was let through: token, attempts, response. Loop thread only; lives on the
/// frame of the coroutine that runs it.
class ProxiedCall {
 public:
  ProxiedCall(const CallParts& parts, Exchange& exchange, std::shared_ptr<CatalogApi> api,
              std::shared_ptr<UpstreamPool> pool);
  ProxiedCall(const ProxiedCall&) = delete;
  ProxiedCall& operator=(const ProxiedCall&) = delete;

  /// `head` is the request's as it goes to the API, without the Authorization line and the final empty one;
  /// it stays as it is until the coroutine ends.
  awaitable<void> run(std::string_view head, GrantedRequest granted);

 private:
  awaitable<void> call_api();
  /// Until `response_` is the head of a final response, whose body may follow in `buffer_`.
  awaitable<common::Result<void>> get_response();
  awaitable<common::Result<void>> read_head();
  void prove();
  RejectionAnswer answer_to_response();
  /// Does what the answer demands; whether the request is to be sent once more.
  awaitable<bool> may_send_again(RejectionAnswer answer);
  awaitable<bool> get_another_token();
  void count_resending(std::string_view reason);
  std::optional<GrantedRequest> renewal() const;
  void renew_in_background();
  bool drain_now();

  awaitable<void> relay();
  void report(ResponseRelay::End end);
  awaitable<void> refuse(common::Error error);

  Loop& loop_;
  common::Entropy& entropy_;
  DpopNonces& nonces_;
  Exchange& exchange_;
  std::shared_ptr<CatalogApi> api_;
  std::shared_ptr<UpstreamPool> pool_;
  const config::ApiSettings& settings_;

  std::string_view head_{};
  std::string proof_{};  // the DPoP line of this attempt, empty: none
  TokenPtr token_{};
  std::shared_ptr<UpstreamConnection> connection_{};
  ReplayBuffer replay_;
  RequestPump pump_;
  const std::shared_ptr<RelayPipes> pipes_;
  RelayBuffer buffer_;
  http1::ResponseHead response_{};
  bool heard_ = false;  // any byte in this attempt

  bool own_assertion_ = false;
  std::string retried_{};    // why it was sent again, as `Grantd-Retried` says it
  bool sent_again_ = false;  // because of a rejected token
  bool nonce_answered_ = false;
  bool caller_gone_ = false;
};

/// Answers with the daemon's own error; `retried` as `Grantd-Retried` has it, empty: it was not.
awaitable<void> refuse_call(Exchange& exchange, const common::Error& error, const CatalogApi* api,
                            std::string_view retried, std::string extra_headers = {});

}  // namespace grantd::daemon
