-- Where in a trace a job was wanted (traceparent of W3C Trace Context); NULL: no traces were kept then.

ALTER TABLE jobs ADD COLUMN trace TEXT;
