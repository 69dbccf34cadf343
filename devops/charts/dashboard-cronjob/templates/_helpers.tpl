{{- define "runmetrics.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "runmetrics.selectorLabels" -}}
app.kubernetes.io/name: {{ include "runmetrics.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Datadog's unified service tagging reads these on the workload and on the pod. */}}
{{- define "runmetrics.datadogLabels" -}}
{{- range $tag := list "env" "service" "version" }}
{{- with index $.Values.datadog $tag }}
tags.datadoghq.com/{{ $tag }}: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "runmetrics.labels" -}}
{{ include "runmetrics.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: collector
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" (include "runmetrics.lowercase" .Chart.Name) .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- include "runmetrics.datadogLabels" . }}
{{- end }}

{{- define "runmetrics.podLabels" -}}
{{- $ours := fromYaml (printf "%s\n%s" (include "runmetrics.selectorLabels" .) (include "runmetrics.datadogLabels" .)) -}}
{{- toYaml (merge $ours (.Values.podLabels | default dict)) -}}
{{- end }}

{{/* A line for each field of `from` that `names` lists, as a whole number; null is left out. */}}
{{- define "runmetrics.integers" -}}
{{- range $name := .names -}}
{{- $value := index $.from $name -}}
{{- if not (kindIs "invalid" $value) -}}
{{- printf "%s: %d" $name (int $value) | nindent $.indent -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "runmetrics.config" -}}
{{- if kindIs "string" .Values.config -}}
{{ .Values.config }}
{{- else if .Values.config -}}
{{ toYaml .Values.config }}
{{- end -}}
{{- end }}

{{/* What runs: the values' own words, or ours with the documented arguments. */}}
{{- define "runmetrics.commandLine" -}}
{{- with .Values -}}
command: {{ .command | default (list "runmetrics") | toJson }}
{{- if .args }}
args: {{ toJson .args }}
{{- else if not .command }}
args:
  {{- if eq .mode "deployment" }}
  - serve
  - --push
  - "--host=::"
  - --port={{ int .serve.port }}
  {{- with .serve.interval }}
  - --interval={{ . }}
  {{- end }}
  {{- else }}
  - collect
  - wandb
  - --push
  {{- end }}
  {{- with .timeoutSeconds }}
  - --timeout={{ int . }}
  {{- end }}
  {{- if gt (int .shards) 1 }}
  - --shard=$(JOB_COMPLETION_INDEX)/{{ int .shards }}
  {{- end }}
{{- end }}
{{- end }}
{{- end }}
