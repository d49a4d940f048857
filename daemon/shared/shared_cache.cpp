// A key file that is gone for a moment takes nothing away; one that never was there leaves the daemon without
// the shared cache, and with a line that says so.
#include "daemon/shared/shared_cache.hpp"

#include <utility>

#include "daemon/shared/shared_eviction.hpp"

namespace grantd::daemon {

namespace {

// Of names and reasons that were logged. Somebody who writes to the store could make ever new ones.
constexpr std::size_t most_reported = 1024;

common::Result<std::shared_ptr<const SealingKeys>> read_keys(SecretSource& source) {
  const auto text = source.read();
  if (!text) return std::unexpected(text.error());
  auto keys = parse_sealing_keys((*text)->reveal());
  if (!keys)
    return common::fail(common::ErrorCode::client_unavailable, "the key file " + std::move(keys.error()));
  return std::make_shared<const SealingKeys>(*std::move(keys));
}

}  // namespace

SharedCache::SharedCache(std::string prefix, std::shared_ptr<SharedStore> store,
                         std::shared_ptr<SecretSource> keys, SharedParts parts)
    : prefix_(std::move(prefix)),
      store_(std::move(store)),
      key_source_(std::move(keys)),
      parts_(parts),
      keys_("[cache]", "cache_keys_not_reread", parts.log) {}

std::shared_ptr<const SealingKeys> SharedCache::keys() {
  const auto ready = keys_.renew(key_source_->changed(), [this] { return read_keys(*key_source_); });
  if (ready) {
    key_error_.clear();
    return *keys_;
  }
  if (std::exchange(key_error_, ready.error().detail) != ready.error().detail) {
    parts_.log.warning("shared_cache_off",
                       {{"detail", key_error_ + "; until then this machine shares no token"}});
  }
  return nullptr;
}

void SharedCache::forgive(const std::string& version) {
  refused().forgive(version);
  for (const auto& eviction : parts_.memory.evictions) eviction->forgive(version);
}

void SharedCache::report(std::string_view client, const std::string& name, std::string_view reason) {
  parts_.metrics.entry_refused(reason);
  if (reported_.size() >= most_reported) reported_.clear();
  if (!reported_.insert(name + " " + std::string{reason}).second) return;
  parts_.log.warning("shared_entry_refused", {{"client", client}, {"name", name}, {"reason", reason}});
}

}  // namespace grantd::daemon
