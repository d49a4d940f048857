#pragma once

/// Exported names: dashboards and alerts depend on them.
namespace grantd::daemon::metric_names {

inline constexpr const char* token_requests = "grantd_token_requests_total";
inline constexpr const char* token_request_duration = "grantd_token_request_duration_seconds";
inline constexpr const char* tokens_served = "grantd_tokens_served_total";
inline constexpr const char* pages_passed = "grantd_pages_passed_total";
inline constexpr const char* pages_withheld = "grantd_pages_withheld_total";
inline constexpr const char* token_expires_in = "grantd_token_expires_in_seconds";
inline constexpr const char* client_failing = "grantd_client_failing";
inline constexpr const char* api_requests = "grantd_api_requests_total";
inline constexpr const char* api_retries = "grantd_api_retries_total";
inline constexpr const char* audit_events = "grantd_audit_events_total";
inline constexpr const char* audit_lines_left_out = "grantd_audit_lines_left_out_total";
inline constexpr const char* shared_cache_up = "grantd_shared_cache_up";
inline constexpr const char* shared_cache_operations = "grantd_shared_cache_operations_total";
inline constexpr const char* shared_cache_lookups = "grantd_shared_cache_lookups_total";
inline constexpr const char* shared_cache_refused_entries = "grantd_shared_cache_refused_entries_total";
inline constexpr const char* connections = "grantd_connections";
inline constexpr const char* connections_limit = "grantd_connections_limit";
inline constexpr const char* connections_opened = "grantd_connections_opened_total";
inline constexpr const char* connections_refused = "grantd_connections_refused_total";
inline constexpr const char* reloads = "grantd_reloads_total";
inline constexpr const char* build_info = "grantd_build_info";
inline constexpr const char* process_start_time = "process_start_time_seconds";  // Prometheus's own name

}  // namespace grantd::daemon::metric_names
