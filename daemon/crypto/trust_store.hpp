#pragma once

#include <expected>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

extern "C" {
struct x509_store_st;
}

namespace grantd::daemon {

/// What servers' certificates are checked against: the certificates of a PEM file, or without one the
/// system's, which `SSL_CERT_FILE` and `SSL_CERT_DIR` may replace. Whoever names the same file shares one,
/// for as long as somebody uses it and the file on disk is the same: to read those of a system takes tens of
/// milliseconds and about a mebibyte. A certificate that was overwritten in a directory, without a name that
/// came or went, is not noticed before. Any thread. Error: a sentence about the file.
std::expected<std::shared_ptr<x509_store_st>, std::string> trust_store(
    const std::optional<std::filesystem::path>& ca_file);

}  // namespace grantd::daemon
