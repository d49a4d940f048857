#include "daemon/oauth/dpop_key_source.hpp"

#include <stdexcept>
#include <utility>

namespace grantd::daemon {

namespace {

std::shared_ptr<SecretSource> source_of(const config::ClientSettings& settings, common::Logger& log) {
  if (!settings.dpop_key) return nullptr;
  return make_secret_source(*settings.dpop_key, {.client = settings.name, .key = "dpop_key"}, log);
}

std::unexpected<common::Error> unusable(const std::string& why) {
  return common::fail(common::ErrorCode::client_unavailable, "the DPoP key " + why);
}

common::Result<std::shared_ptr<const DpopKey>> make_key(const config::ClientSettings& settings,
                                                        std::shared_ptr<const DpopKey> made_before) {
  if (settings.dpop_key || made_before) return made_before;
  try {
    return DpopKey::generate(DpopKeySource::algorithm_of_made(settings));
  } catch (const std::runtime_error& error) {
    return unusable(std::string{"cannot be made here: "} + error.what());
  }
}

}  // namespace

DpopKeySource::DpopKeySource(std::shared_ptr<const config::ClientSettings> settings, common::Logger& log,
                             std::shared_ptr<const DpopKey> made_before)
    : settings_(std::move(settings)),
      file_(source_of(*settings_, log)),
      made_(make_key(*settings_, std::move(made_before))),
      read_(settings_->name, "dpop_key_not_reread", log) {}

common::Result<std::shared_ptr<const DpopKey>> DpopKeySource::current() {
  if (!file_) return made_;
  if (auto ready = read_.renew(changed(), [this] { return read(); }); !ready) {
    return std::unexpected(std::move(ready.error()));
  }
  return *read_;
}

std::optional<std::string> DpopKeySource::identity() {
  if (!file_) return std::string{};
  const auto key = current();
  if (!key) return std::nullopt;
  return (*key)->thumbprint();
}

common::Result<DpopKeySource::Key> DpopKeySource::read() const {
  const auto text = file_->read();
  if (!text) return std::unexpected(text.error());
  auto key = SigningKey::parse((*text)->reveal());
  if (!key) return unusable(key.error());
  auto bound = DpopKey::of(*std::move(key), settings_->dpop_alg);
  if (!bound) return unusable(bound.error());
  return *std::move(bound);
}

}  // namespace grantd::daemon
