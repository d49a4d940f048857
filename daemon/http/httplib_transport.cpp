// The loop's side of a blocking exchange. Values go to the worker and come back; a TLS context, costly to
// make because it holds the system's certificates, travels with them and so never needs a lock.
#include "daemon/http/httplib_transport.hpp"

#include <algorithm>
#include <utility>

#include "daemon/http/httplib_exchange.hpp"

namespace grantd::daemon {

namespace {

constexpr std::size_t most_kept_contexts = 8;
constexpr std::size_t most_to_one_destination = 16;
// A worker sees the deadline too and says better what it waited for, so it goes first.
constexpr std::chrono::milliseconds grace{50};

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
  common::BootTime until{};
  std::string destination{};
  HttpRequest request{};  // until it is started
  TransportOptions options{};
  Workers::Ticket ticket{};
  Calls::iterator place{};
  bool running = false;  // counts among the destination's
  bool finished = false;
};

HttplibTransport::HttplibTransport(Loop& loop, Workers& workers, const common::Clock& clock)
    : loop_(loop), workers_(workers), clock_(clock) {}

HttplibTransport::~HttplibTransport() = default;

void HttplibTransport::send(HttpRequest request, TransportOptions options, common::BootTime deadline,
                            Done done) {
  auto call = std::make_shared<Call>(loop_.timers(), std::move(done));
  call->place = calls_.insert(calls_.end(), call);
  call->until = deadline;
  call->destination = (options.proxy ? *options.proxy : request.url).authority();
  const std::string host = request.url.host;
  call->request = std::move(request);
  call->options = std::move(options);
  call->on_deadline = [this, host, waiting = call.get()] {
    waiting->ticket.abandon();
    const auto keep = *waiting->place;
    release(*keep);
    finish(keep, std::unexpected(TransportError{.kind = TransportError::Kind::timed_out,
                                                .detail = "no answer from " + host + " in time"}));
  };
  call->deadline.arm(deadline + grace);
  Destination& destination = destinations_[call->destination];
  if (destination.running < most_to_one_destination) {
    start(call);
  } else {
    destination.waiting.push_back(call);
  }
}

void HttplibTransport::start(const std::shared_ptr<Call>& call) {
  ++destinations_[call->destination].running;
  call->running = true;
  struct Job {
    HttpRequest request;
    TransportOptions options;
    KeptContext kept{};
    std::expected<HttpResponse, TransportError> result{};
  };
  auto job =
      std::make_shared<Job>(Job{.request = std::move(call->request), .options = std::move(call->options)});
  if (job->request.url.tls) job->kept = take_context(job->request.url.host, job->options.tls);
  call->ticket = workers_.run([this, job, deadline = call->until, weak = std::weak_ptr(call)] {
    auto ready = job->request.url.tls ? renew(job->kept) : std::expected<void, TransportError>{};
    job->result =
        ready ? exchange_with_httplib(job->request, job->options, clock_, deadline, job->kept.context.get())
              : std::unexpected(std::move(ready.error()));
    common::wipe_stack();
    loop_.post([this, job, weak] {
      if (job->kept.context) keep_context(std::move(job->kept));
      const auto waiting = weak.lock();
      if (!waiting) return;
      release(*waiting);
      finish(waiting, std::move(job->result));
    });
  });
}

void HttplibTransport::release(Call& call) {
  if (!std::exchange(call.running, false)) return;
  const auto found = destinations_.find(call.destination);
  Destination& destination = found->second;
  --destination.running;
  while (!destination.waiting.empty() && destination.running < most_to_one_destination) {
    const auto next = destination.waiting.front().lock();
    destination.waiting.pop_front();
    if (next && !next->finished) start(next);
  }
  if (destination.running == 0) destinations_.erase(found);
}

void HttplibTransport::finish(std::shared_ptr<Call> call,
                              std::expected<HttpResponse, TransportError> result) {
  if (std::exchange(call->finished, true)) return;
  calls_.erase(call->place);
  call->deadline.disarm();
  call->done(std::move(result));
}

HttplibTransport::KeptContext HttplibTransport::take_context(const std::string& host,
                                                             const config::TlsSettings& settings) {
  const auto found = std::ranges::find_if(
      contexts_, [&](const KeptContext& kept) { return kept.host == host && kept.settings == settings; });
  if (found == contexts_.end()) return {.host = host, .settings = settings};
  KeptContext taken = std::move(*found);
  contexts_.erase(found);
  return taken;
}

// Files that are being replaced, and do not fit together for a moment, do not take away what was read before.
std::expected<void, TransportError> HttplibTransport::renew(KeptContext& kept) {
  std::string files = state_of_files(kept.settings);
  if (kept.context && kept.files == files) return {};
  auto made = TlsContext::for_client(kept.host, kept.settings);
  if (made) {
    kept.context = *std::move(made);
    kept.files = std::move(files);
  } else if (!kept.context) {
    return std::unexpected(
        TransportError{.kind = TransportError::Kind::misconfigured, .detail = std::move(made.error())});
  }
  return {};
}

void HttplibTransport::keep_context(KeptContext kept) {
  contexts_.push_back(std::move(kept));
  if (contexts_.size() > most_kept_contexts) contexts_.pop_front();
}

}  // namespace grantd::daemon
