//! The OTLP messages as data: one table that the checker, the canoniser, the JSON codec and the edit walk all read.
//!
//! Source: `opentelemetry-proto` 1.11, `opentelemetry/proto/{common,resource,logs,trace,metrics}/v1`.

use Kind::{
    Bool, Bytes, Double, Enum, Fixed32, Fixed64, Id, Ignored, Int64, Message, Sfixed64, Sint32,
    Str, Uint32, Uint64,
};

/// What a field holds, and so which wire type it must have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Bool,
    Uint32,
    Uint64,
    Int64,
    Sint32,
    Fixed32,
    Fixed64,
    Sfixed64,
    Double,
    Str,
    Bytes,
    /// Bytes that OTLP/JSON writes in hex: trace and span ids.
    Id,
    /// An int32 with names; negative and unknown numbers are kept.
    Enum(&'static [(&'static str, i32)]),
    /// An int32 that belongs to profiles only: checked, then left out.
    Ignored,
    Message(&'static Schema),
}

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) tag: u32,
    /// lowerCamelCase name in OTLP/JSON.
    pub(crate) json: &'static str,
    /// snake_case name, accepted in OTLP/JSON.
    pub(crate) snake: &'static str,
    pub(crate) kind: Kind,
    pub(crate) label: Label,
}

/// How often a field may stand in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    /// At most once; the default value means absent.
    Single,
    /// At most once; presence counts (`optional`, and message fields).
    Optional,
    /// A member of the message's only oneof.
    OneOf,
    Repeated,
}

/// One message type.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) name: &'static str,
    /// Ascending by tag.
    pub(crate) fields: &'static [Field],
}

impl Schema {
    /// The field with this tag.
    #[inline]
    pub(crate) fn field(&self, tag: u32) -> Option<&'static Field> {
        self.fields.iter().find(|f| f.tag == tag)
    }
}

const fn field(
    tag: u32,
    json: &'static str,
    snake: &'static str,
    kind: Kind,
    label: Label,
) -> Field {
    Field {
        tag,
        json,
        snake,
        kind,
        label,
    }
}

const fn one(tag: u32, json: &'static str, snake: &'static str, kind: Kind) -> Field {
    field(tag, json, snake, kind, Label::Single)
}

const fn opt(tag: u32, json: &'static str, snake: &'static str, kind: Kind) -> Field {
    field(tag, json, snake, kind, Label::Optional)
}

const fn any(tag: u32, json: &'static str, snake: &'static str, kind: Kind) -> Field {
    field(tag, json, snake, kind, Label::OneOf)
}

const fn many(tag: u32, json: &'static str, snake: &'static str, kind: Kind) -> Field {
    field(tag, json, snake, kind, Label::Repeated)
}

macro_rules! schema {
    ($name:ident, $text:literal, [$($field:expr),* $(,)?]) => {
        pub(crate) static $name: Schema = Schema { name: $text, fields: &[$($field),*] };
    };
}

schema!(
    ANY_VALUE,
    "AnyValue",
    [
        any(1, "stringValue", "string_value", Str),
        any(2, "boolValue", "bool_value", Bool),
        any(3, "intValue", "int_value", Int64),
        any(4, "doubleValue", "double_value", Double),
        any(5, "arrayValue", "array_value", Message(&ARRAY_VALUE)),
        any(6, "kvlistValue", "kvlist_value", Message(&KEY_VALUE_LIST)),
        any(7, "bytesValue", "bytes_value", Bytes),
        any(8, "stringValueStrindex", "string_value_strindex", Ignored),
    ]
);
schema!(
    ARRAY_VALUE,
    "ArrayValue",
    [many(1, "values", "values", Message(&ANY_VALUE))]
);
schema!(
    KEY_VALUE_LIST,
    "KeyValueList",
    [many(1, "values", "values", Message(&KEY_VALUE))]
);
schema!(
    KEY_VALUE,
    "KeyValue",
    [
        one(1, "key", "key", Str),
        opt(2, "value", "value", Message(&ANY_VALUE)),
        one(3, "keyStrindex", "key_strindex", Ignored),
    ]
);
schema!(
    ENTITY_REF,
    "EntityRef",
    [
        one(1, "schemaUrl", "schema_url", Str),
        one(2, "type", "type", Str),
        many(3, "idKeys", "id_keys", Str),
        many(4, "descriptionKeys", "description_keys", Str),
    ]
);
schema!(
    RESOURCE,
    "Resource",
    [
        many(1, "attributes", "attributes", Message(&KEY_VALUE)),
        one(
            2,
            "droppedAttributesCount",
            "dropped_attributes_count",
            Uint32
        ),
        many(3, "entityRefs", "entity_refs", Message(&ENTITY_REF)),
    ]
);
schema!(
    SCOPE,
    "InstrumentationScope",
    [
        one(1, "name", "name", Str),
        one(2, "version", "version", Str),
        many(3, "attributes", "attributes", Message(&KEY_VALUE)),
        one(
            4,
            "droppedAttributesCount",
            "dropped_attributes_count",
            Uint32
        ),
    ]
);

schema!(
    LOGS_REQUEST,
    "ExportLogsServiceRequest",
    [many(
        1,
        "resourceLogs",
        "resource_logs",
        Message(&RESOURCE_LOGS)
    ),]
);
schema!(
    RESOURCE_LOGS,
    "ResourceLogs",
    [
        opt(1, "resource", "resource", Message(&RESOURCE)),
        many(2, "scopeLogs", "scope_logs", Message(&SCOPE_LOGS)),
        one(3, "schemaUrl", "schema_url", Str),
    ]
);
schema!(
    SCOPE_LOGS,
    "ScopeLogs",
    [
        opt(1, "scope", "scope", Message(&SCOPE)),
        many(2, "logRecords", "log_records", Message(&LOG_RECORD)),
        one(3, "schemaUrl", "schema_url", Str),
    ]
);
schema!(
    LOG_RECORD,
    "LogRecord",
    [
        one(1, "timeUnixNano", "time_unix_nano", Fixed64),
        one(2, "severityNumber", "severity_number", Enum(SEVERITY)),
        one(3, "severityText", "severity_text", Str),
        opt(5, "body", "body", Message(&ANY_VALUE)),
        many(6, "attributes", "attributes", Message(&KEY_VALUE)),
        one(
            7,
            "droppedAttributesCount",
            "dropped_attributes_count",
            Uint32
        ),
        one(8, "flags", "flags", Fixed32),
        one(9, "traceId", "trace_id", Id),
        one(10, "spanId", "span_id", Id),
        one(
            11,
            "observedTimeUnixNano",
            "observed_time_unix_nano",
            Fixed64
        ),
        one(12, "eventName", "event_name", Str),
    ]
);

schema!(
    TRACES_REQUEST,
    "ExportTraceServiceRequest",
    [many(
        1,
        "resourceSpans",
        "resource_spans",
        Message(&RESOURCE_SPANS)
    ),]
);
schema!(
    RESOURCE_SPANS,
    "ResourceSpans",
    [
        opt(1, "resource", "resource", Message(&RESOURCE)),
        many(2, "scopeSpans", "scope_spans", Message(&SCOPE_SPANS)),
        one(3, "schemaUrl", "schema_url", Str),
    ]
);
schema!(
    SCOPE_SPANS,
    "ScopeSpans",
    [
        opt(1, "scope", "scope", Message(&SCOPE)),
        many(2, "spans", "spans", Message(&SPAN)),
        one(3, "schemaUrl", "schema_url", Str),
    ]
);
schema!(
    SPAN,
    "Span",
    [
        one(1, "traceId", "trace_id", Id),
        one(2, "spanId", "span_id", Id),
        one(3, "traceState", "trace_state", Str),
        one(4, "parentSpanId", "parent_span_id", Id),
        one(5, "name", "name", Str),
        one(6, "kind", "kind", Enum(SPAN_KIND)),
        one(7, "startTimeUnixNano", "start_time_unix_nano", Fixed64),
        one(8, "endTimeUnixNano", "end_time_unix_nano", Fixed64),
        many(9, "attributes", "attributes", Message(&KEY_VALUE)),
        one(
            10,
            "droppedAttributesCount",
            "dropped_attributes_count",
            Uint32
        ),
        many(11, "events", "events", Message(&SPAN_EVENT)),
        one(12, "droppedEventsCount", "dropped_events_count", Uint32),
        many(13, "links", "links", Message(&SPAN_LINK)),
        one(14, "droppedLinksCount", "dropped_links_count", Uint32),
        opt(15, "status", "status", Message(&SPAN_STATUS)),
        one(16, "flags", "flags", Fixed32),
    ]
);
schema!(
    SPAN_EVENT,
    "Span.Event",
    [
        one(1, "timeUnixNano", "time_unix_nano", Fixed64),
        one(2, "name", "name", Str),
        many(3, "attributes", "attributes", Message(&KEY_VALUE)),
        one(
            4,
            "droppedAttributesCount",
            "dropped_attributes_count",
            Uint32
        ),
    ]
);
schema!(
    SPAN_LINK,
    "Span.Link",
    [
        one(1, "traceId", "trace_id", Id),
        one(2, "spanId", "span_id", Id),
        one(3, "traceState", "trace_state", Str),
        many(4, "attributes", "attributes", Message(&KEY_VALUE)),
        one(
            5,
            "droppedAttributesCount",
            "dropped_attributes_count",
            Uint32
        ),
        one(6, "flags", "flags", Fixed32),
    ]
);
schema!(
    SPAN_STATUS,
    "Status",
    [
        one(2, "message", "message", Str),
        one(3, "code", "code", Enum(STATUS_CODE)),
    ]
);

schema!(
    METRICS_REQUEST,
    "ExportMetricsServiceRequest",
    [many(
        1,
        "resourceMetrics",
        "resource_metrics",
        Message(&RESOURCE_METRICS)
    ),]
);
schema!(
    RESOURCE_METRICS,
    "ResourceMetrics",
    [
        opt(1, "resource", "resource", Message(&RESOURCE)),
        many(2, "scopeMetrics", "scope_metrics", Message(&SCOPE_METRICS)),
        one(3, "schemaUrl", "schema_url", Str),
    ]
);
schema!(
    SCOPE_METRICS,
    "ScopeMetrics",
    [
        opt(1, "scope", "scope", Message(&SCOPE)),
        many(2, "metrics", "metrics", Message(&METRIC)),
        one(3, "schemaUrl", "schema_url", Str),
    ]
);
schema!(
    METRIC,
    "Metric",
    [
        one(1, "name", "name", Str),
        one(2, "description", "description", Str),
        one(3, "unit", "unit", Str),
        any(5, "gauge", "gauge", Message(&GAUGE)),
        any(7, "sum", "sum", Message(&SUM)),
        any(9, "histogram", "histogram", Message(&HISTOGRAM)),
        any(
            10,
            "exponentialHistogram",
            "exponential_histogram",
            Message(&EXPONENTIAL_HISTOGRAM)
        ),
        any(11, "summary", "summary", Message(&SUMMARY)),
        many(12, "metadata", "metadata", Message(&KEY_VALUE)),
    ]
);
schema!(
    GAUGE,
    "Gauge",
    [many(
        1,
        "dataPoints",
        "data_points",
        Message(&NUMBER_DATA_POINT)
    )]
);
schema!(
    SUM,
    "Sum",
    [
        many(1, "dataPoints", "data_points", Message(&NUMBER_DATA_POINT)),
        one(
            2,
            "aggregationTemporality",
            "aggregation_temporality",
            Enum(TEMPORALITY)
        ),
        one(3, "isMonotonic", "is_monotonic", Bool),
    ]
);
schema!(
    HISTOGRAM,
    "Histogram",
    [
        many(
            1,
            "dataPoints",
            "data_points",
            Message(&HISTOGRAM_DATA_POINT)
        ),
        one(
            2,
            "aggregationTemporality",
            "aggregation_temporality",
            Enum(TEMPORALITY)
        ),
    ]
);
schema!(
    EXPONENTIAL_HISTOGRAM,
    "ExponentialHistogram",
    [
        many(
            1,
            "dataPoints",
            "data_points",
            Message(&EXPONENTIAL_HISTOGRAM_DATA_POINT)
        ),
        one(
            2,
            "aggregationTemporality",
            "aggregation_temporality",
            Enum(TEMPORALITY)
        ),
    ]
);
schema!(
    SUMMARY,
    "Summary",
    [many(
        1,
        "dataPoints",
        "data_points",
        Message(&SUMMARY_DATA_POINT)
    )]
);
schema!(
    NUMBER_DATA_POINT,
    "NumberDataPoint",
    [
        one(2, "startTimeUnixNano", "start_time_unix_nano", Fixed64),
        one(3, "timeUnixNano", "time_unix_nano", Fixed64),
        any(4, "asDouble", "as_double", Double),
        many(5, "exemplars", "exemplars", Message(&EXEMPLAR)),
        any(6, "asInt", "as_int", Sfixed64),
        many(7, "attributes", "attributes", Message(&KEY_VALUE)),
        one(8, "flags", "flags", Uint32),
    ]
);
schema!(
    HISTOGRAM_DATA_POINT,
    "HistogramDataPoint",
    [
        one(2, "startTimeUnixNano", "start_time_unix_nano", Fixed64),
        one(3, "timeUnixNano", "time_unix_nano", Fixed64),
        one(4, "count", "count", Fixed64),
        opt(5, "sum", "sum", Double),
        many(6, "bucketCounts", "bucket_counts", Fixed64),
        many(7, "explicitBounds", "explicit_bounds", Double),
        many(8, "exemplars", "exemplars", Message(&EXEMPLAR)),
        many(9, "attributes", "attributes", Message(&KEY_VALUE)),
        one(10, "flags", "flags", Uint32),
        opt(11, "min", "min", Double),
        opt(12, "max", "max", Double),
    ]
);
schema!(
    EXPONENTIAL_HISTOGRAM_DATA_POINT,
    "ExponentialHistogramDataPoint",
    [
        many(1, "attributes", "attributes", Message(&KEY_VALUE)),
        one(2, "startTimeUnixNano", "start_time_unix_nano", Fixed64),
        one(3, "timeUnixNano", "time_unix_nano", Fixed64),
        one(4, "count", "count", Fixed64),
        opt(5, "sum", "sum", Double),
        one(6, "scale", "scale", Sint32),
        one(7, "zeroCount", "zero_count", Fixed64),
        opt(8, "positive", "positive", Message(&BUCKETS)),
        opt(9, "negative", "negative", Message(&BUCKETS)),
        one(10, "flags", "flags", Uint32),
        many(11, "exemplars", "exemplars", Message(&EXEMPLAR)),
        opt(12, "min", "min", Double),
        opt(13, "max", "max", Double),
        one(14, "zeroThreshold", "zero_threshold", Double),
    ]
);
schema!(
    BUCKETS,
    "ExponentialHistogramDataPoint.Buckets",
    [
        one(1, "offset", "offset", Sint32),
        many(2, "bucketCounts", "bucket_counts", Uint64),
    ]
);
schema!(
    SUMMARY_DATA_POINT,
    "SummaryDataPoint",
    [
        one(2, "startTimeUnixNano", "start_time_unix_nano", Fixed64),
        one(3, "timeUnixNano", "time_unix_nano", Fixed64),
        one(4, "count", "count", Fixed64),
        one(5, "sum", "sum", Double),
        many(
            6,
            "quantileValues",
            "quantile_values",
            Message(&VALUE_AT_QUANTILE)
        ),
        many(7, "attributes", "attributes", Message(&KEY_VALUE)),
        one(8, "flags", "flags", Uint32),
    ]
);
schema!(
    VALUE_AT_QUANTILE,
    "SummaryDataPoint.ValueAtQuantile",
    [
        one(1, "quantile", "quantile", Double),
        one(2, "value", "value", Double),
    ]
);
schema!(
    EXEMPLAR,
    "Exemplar",
    [
        one(2, "timeUnixNano", "time_unix_nano", Fixed64),
        any(3, "asDouble", "as_double", Double),
        one(4, "spanId", "span_id", Id),
        one(5, "traceId", "trace_id", Id),
        any(6, "asInt", "as_int", Sfixed64),
        many(
            7,
            "filteredAttributes",
            "filtered_attributes",
            Message(&KEY_VALUE)
        ),
    ]
);

static SEVERITY: &[(&str, i32)] = &[
    ("SEVERITY_NUMBER_UNSPECIFIED", 0),
    ("SEVERITY_NUMBER_TRACE", 1),
    ("SEVERITY_NUMBER_TRACE2", 2),
    ("SEVERITY_NUMBER_TRACE3", 3),
    ("SEVERITY_NUMBER_TRACE4", 4),
    ("SEVERITY_NUMBER_DEBUG", 5),
    ("SEVERITY_NUMBER_DEBUG2", 6),
    ("SEVERITY_NUMBER_DEBUG3", 7),
    ("SEVERITY_NUMBER_DEBUG4", 8),
    ("SEVERITY_NUMBER_INFO", 9),
    ("SEVERITY_NUMBER_INFO2", 10),
    ("SEVERITY_NUMBER_INFO3", 11),
    ("SEVERITY_NUMBER_INFO4", 12),
    ("SEVERITY_NUMBER_WARN", 13),
    ("SEVERITY_NUMBER_WARN2", 14),
    ("SEVERITY_NUMBER_WARN3", 15),
    ("SEVERITY_NUMBER_WARN4", 16),
    ("SEVERITY_NUMBER_ERROR", 17),
    ("SEVERITY_NUMBER_ERROR2", 18),
    ("SEVERITY_NUMBER_ERROR3", 19),
    ("SEVERITY_NUMBER_ERROR4", 20),
    ("SEVERITY_NUMBER_FATAL", 21),
    ("SEVERITY_NUMBER_FATAL2", 22),
    ("SEVERITY_NUMBER_FATAL3", 23),
    ("SEVERITY_NUMBER_FATAL4", 24),
];
static SPAN_KIND: &[(&str, i32)] = &[
    ("SPAN_KIND_UNSPECIFIED", 0),
    ("SPAN_KIND_INTERNAL", 1),
    ("SPAN_KIND_SERVER", 2),
    ("SPAN_KIND_CLIENT", 3),
    ("SPAN_KIND_PRODUCER", 4),
    ("SPAN_KIND_CONSUMER", 5),
];
static STATUS_CODE: &[(&str, i32)] = &[
    ("STATUS_CODE_UNSET", 0),
    ("STATUS_CODE_OK", 1),
    ("STATUS_CODE_ERROR", 2),
];
static TEMPORALITY: &[(&str, i32)] = &[
    ("AGGREGATION_TEMPORALITY_UNSPECIFIED", 0),
    ("AGGREGATION_TEMPORALITY_DELTA", 1),
    ("AGGREGATION_TEMPORALITY_CUMULATIVE", 2),
];
