// Each further key costs every look-up a command, so their number is bounded: two are enough for a rotation.
#include "daemon/crypto/sealing_keys.hpp"

#include <algorithm>

#include "daemon/crypto/base64url.hpp"
#include "daemon/crypto/sealed_box.hpp"

namespace grantd::daemon {

namespace {
constexpr std::size_t most_keys = 16;
constexpr std::string_view blanks = " \t\r";
}  // namespace

std::expected<SealingKeys, std::string> parse_sealing_keys(std::string_view text) {
  SealingKeys keys;
  std::vector<common::Secret> secrets;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!line.empty() && blanks.contains(line.back())) line.remove_suffix(1);
    while (!line.empty() && blanks.contains(line.front())) line.remove_prefix(1);
    if (line.empty()) continue;
    auto secret = base64_decode(line);
    if (!secret || secret->size() != seal_key_size) {
      return std::unexpected(
          "holds in line " + std::to_string(number) +
          " something else than 32 bytes in base64; \"openssl rand -base64 32\" makes such a line");
    }
    if (std::ranges::all_of(secret->reveal(), [](char c) { return c == '\0'; }))
      return std::unexpected("holds in line " + std::to_string(number) + " a key of zeros, which is none");
    const bool repeated =
        std::ranges::any_of(secrets, [&](const common::Secret& other) { return other.same_as(*secret); });
    if (repeated)
      return std::unexpected("holds in line " + std::to_string(number) + " a key that stands above already");
    if (keys.size() == most_keys) return std::unexpected{"holds more than 16 keys"};
    keys.push_back({.name_key = derive_key(*secret, "grantd shared cache: names"),
                    .seal_key = derive_key(*secret, "grantd shared cache: seals")});
    secrets.push_back(*std::move(secret));
  }
  if (keys.empty()) return std::unexpected{"holds no key"};
  return keys;
}

}  // namespace grantd::daemon
