{{/* A CronJob's name may have 52 characters: its Jobs append 11. */}}
{{- define "runmetrics.fullname" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{- define "runmetrics.serviceAccountName" -}}
{{- default (ternary (include "runmetrics.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end }}

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
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
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
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- include "runmetrics.datadogLabels" . }}
{{- end }}

{{- define "runmetrics.podLabels" -}}
{{- $ours := fromYaml (printf "%s\n%s" (include "runmetrics.selectorLabels" .) (include "runmetrics.datadogLabels" .)) -}}
{{- toYaml (merge $ours .Values.podLabels) -}}
{{- end }}

{{/* The Secret that holds the keys, whoever wrote it; empty where the program asks AWS. */}}
{{- define "runmetrics.secretName" -}}
{{- if .Values.externalSecrets.enabled -}}
{{ include "runmetrics.fullname" . }}
{{- else -}}
{{ .Values.keys.existingSecret }}
{{- end -}}
{{- end }}

{{- define "runmetrics.config" -}}
{{- if kindIs "string" .Values.config -}}
{{ .Values.config }}
{{- else if .Values.config -}}
{{ toYaml .Values.config }}
{{- end -}}
{{- end }}
