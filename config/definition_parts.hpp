#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/settings.hpp"
#include "config/table_reader.hpp"

/// Keys that clients and APIs have in common.
namespace grantd::config {

using Parameters = std::map<std::string, std::string>;
using Headers = std::vector<std::pair<std::string, std::string>>;

/// Whether the node is a table; a problem where it is not.
bool expect_table(const Node& node, const std::string& path, Problems& problems);

/// A problem where the name of a client or API does not follow the grammar.
void check_definition_name(const Node& definition, const std::string& path, Problems& problems);

/// A string or an array of strings, sorted and unique.
std::optional<std::vector<std::string>> read_scope(const TableReader& reader);
std::optional<std::vector<std::string>> read_resource(const TableReader& reader);

std::optional<std::string> read_audience(const TableReader& reader);

/// Form parameters; none that a token request sets itself.
std::optional<Parameters> read_parameters(const TableReader& reader);

enum class HeaderUse { token_request, api_request };
/// Fixed headers; none that frame a message, prove an identity or stay between caller and daemon.
Headers read_headers(const TableReader& reader, HeaderUse use);

AccessSettings read_access(const TableReader& reader);

/// CA file, certificate and key.
TlsSettings read_tls(const TableReader& reader);

/// An https URL, or an http one where the same table allows it.
std::optional<Url> read_url(const TableReader& reader, std::string_view key);

}  // namespace grantd::config
