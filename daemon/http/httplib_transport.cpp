// The loop's side of a blocking exchange. Values go to the worker and come back; a TLS context, costly to
// make because it holds the system's certificates, travels with them and so never needs a lock.
#include "daemon/http/httplib_transport.hpp"

#include <algorithm>
#include <utility>

#include "daemon/http/httplib_exchange.hpp"

namespace grantd::daemon {

namespace {

constexpr std::size_t most_kept_contexts = 8;
// A worker sees the deadline too and says better what it waited for, so it goes first.
constexpr std::chrono::milliseconds grace{50};

std::string context_key(const HttpRequest& request, const TransportOptions& options) {
  if (!request.url.tls) return {};
  return request.url.host + "\n" + state_of_files(options.tls);
}

}  // namespace

TransportOptions connection_options(const config::ClientSettings& client) {
  return {.connect_timeout = client.connect_timeout, .tls = client.tls, .proxy = client.http_proxy};
}

struct HttplibTransport::Call {
  Call(common::TimerQueue& timers, Done done_)
      : done(std::move(done_)), deadline(timers, [this] { on_deadline(); }) {}

  Done done;
  std::function<void()> on_deadline;
  common::Timer deadline;
  Workers::Ticket ticket{};
  Calls::iterator place{};
  bool finished = false;
};

HttplibTransport::HttplibTransport(Loop& loop, Workers& workers, const common::Clock& clock)
    : loop_(loop), workers_(workers), clock_(clock) {}

HttplibTransport::~HttplibTransport() = default;

void HttplibTransport::send(HttpRequest request, TransportOptions options, common::BootTime deadline,
                            Done done) {
  auto call = std::make_shared<Call>(loop_.timers(), std::move(done));
  call->place = calls_.insert(calls_.end(), call);
  std::string key = context_key(request, options);
  auto context = key.empty() ? nullptr : take_context(key);
  const std::string host = request.url.host;

  struct Job {
    HttpRequest request;
    TransportOptions options;
    std::shared_ptr<TlsContext> context;
    std::expected<HttpResponse, TransportError> result;
  };
  auto job = std::make_shared<Job>(Job{.request = std::move(request),
                                       .options = std::move(options),
                                       .context = std::move(context),
                                       .result = {}});
  call->ticket = workers_.run([this, job, deadline, key = std::move(key), weak = std::weak_ptr(call)] {
    job->result = exchange_with_httplib(job->request, job->options, clock_, deadline, job->context);
    common::wipe_stack();
    loop_.post([this, job, key, weak] {
      if (job->context) keep_context(key, std::move(job->context));
      if (const auto waiting = weak.lock()) finish(waiting, std::move(job->result));
    });
  });
  call->on_deadline = [this, host, waiting = call.get()] {
    waiting->ticket.abandon();
    finish(*waiting->place, std::unexpected(TransportError{.kind = TransportError::Kind::timed_out,
                                                           .detail = "no answer from " + host + " in time"}));
  };
  call->deadline.arm(deadline + grace);
}

void HttplibTransport::finish(std::shared_ptr<Call> call,
                              std::expected<HttpResponse, TransportError> result) {
  if (std::exchange(call->finished, true)) return;
  calls_.erase(call->place);
  call->deadline.disarm();
  call->done(std::move(result));
}

std::shared_ptr<TlsContext> HttplibTransport::take_context(const std::string& key) {
  const auto found = std::ranges::find(contexts_, key, &decltype(contexts_)::value_type::first);
  if (found == contexts_.end()) return nullptr;
  auto context = std::move(found->second);
  contexts_.erase(found);
  return context;
}

void HttplibTransport::keep_context(const std::string& key, std::shared_ptr<TlsContext> context) {
  contexts_.emplace_back(key, std::move(context));
  if (contexts_.size() > most_kept_contexts) contexts_.pop_front();
}

}  // namespace grantd::daemon
