{{/*
Names by helm's conventions, each valid for every kind: a Service wants a DNS-1035 label, and a
CronJob's name may have 52 characters, since its Jobs append 11. Releases may hold dots and begin
with a digit, aliases of a subchart may hold capitals and underscores. A name that had to be changed
ends in a part of its hash, so that two names stay two.
*/}}
{{- define "runmetrics.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride }}
{{- else -}}
{{- $chart := default .Chart.Name .Values.nameOverride -}}
{{- $release := .Release.Name -}}
{{- /* Two aliases may both be part of the release's name, so a subchart's has to be all of it. */ -}}
{{- $said := or (eq $release $chart) (and .Chart.IsRoot (contains $chart $release)) -}}
{{- $wanted := $said | ternary $release (printf "%s-%s" $release $chart) -}}
{{- $name := include "runmetrics.lowercase" $wanted -}}
{{- if regexMatch "^[0-9]" $name -}}{{- $name = printf "r-%s" $name -}}{{- end -}}
{{- if or (ne $name $wanted) (gt (len $name) 52) -}}
{{ $name | trunc 43 | trimSuffix "-" }}-{{ sha256sum $wanted | trunc 8 }}
{{- else -}}
{{ $name }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The value of app.kubernetes.io/name: the chart's name or its alias. */}}
{{- define "runmetrics.name" -}}
{{- include "runmetrics.lowercase" (default .Chart.Name .Values.nameOverride) | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- define "runmetrics.lowercase" -}}
{{- lower . | replace "_" "-" | replace "." "-" | trimAll "-" -}}
{{- end }}

{{- define "runmetrics.serviceAccountName" -}}
{{- default (ternary (include "runmetrics.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end }}

{{/* The Secret that holds the keys, whoever wrote it; empty where the program asks AWS. */}}
{{- define "runmetrics.secretName" -}}
{{- if .Values.externalSecrets.enabled -}}
{{ include "runmetrics.fullname" . }}
{{- else -}}
{{ .Values.keys.existingSecret }}
{{- end -}}
{{- end }}
