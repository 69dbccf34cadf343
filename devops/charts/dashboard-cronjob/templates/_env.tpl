{{/* The program's environment; extraEnv adds to it and replaces entries of the same name. */}}
{{- define "runmetrics.ownEnv" -}}
{{- range $tag := list "env" "service" "version" }}
{{- if index $.Values.datadog $tag }}
- name: DD_{{ upper $tag }}
  valueFrom:
    fieldRef:
      fieldPath: metadata.labels['tags.datadoghq.com/{{ $tag }}']
{{- end }}
{{- end }}
{{- with .Values.datadog.site }}
- name: DD_SITE
  value: {{ . | quote }}
{{- end }}
{{- if .Values.wandb.projects }}
- name: RUNMETRICS_PROJECTS
  value: {{ join "," .Values.wandb.projects | quote }}
{{- else }}
- name: WANDB_ENTITY
  value: {{ .Values.wandb.entity | quote }}
- name: WANDB_PROJECT
  value: {{ .Values.wandb.project | quote }}
{{- end }}
{{- with .Values.wandb.baseUrl }}
- name: WANDB_BASE_URL
  value: {{ . | quote }}
{{- end }}
{{- $secret := include "runmetrics.secretName" . }}
{{- with .Values.keys }}
{{- if and $secret .wandbEntry }}
- name: WANDB_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: {{ .wandbEntry }}
{{- end }}
{{- if and $secret .datadogEntry }}
- name: DD_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: {{ .datadogEntry }}
{{- end }}
{{- end }}
- name: RUNMETRICS_WANDB_SECRET
  value: {{ .Values.aws.wandbSecret | quote }}
- name: RUNMETRICS_DATADOG_SECRET
  value: {{ .Values.aws.datadogSecret | quote }}
{{- with .Values.aws.region }}
- name: AWS_DEFAULT_REGION
  value: {{ . | quote }}
{{- end }}
{{- if .Values.config }}
- name: RUNMETRICS_CONFIG
  value: /etc/runmetrics/runmetrics.yaml
{{- end }}
{{- if .Values.persistence.enabled }}
- name: RUNMETRICS_SPOOL_DIR
  value: /var/lib/runmetrics
{{- end }}
{{- end }}

{{- define "runmetrics.env" -}}
{{- $extra := list -}}
{{- range .Values.extraEnv }}{{ $extra = append $extra .name }}{{ end -}}
{{- $env := list -}}
{{- range include "runmetrics.ownEnv" . | fromYamlArray -}}
{{- if not (has .name $extra) }}{{ $env = append $env . }}{{ end -}}
{{- end -}}
{{- toYaml (concat $env .Values.extraEnv) -}}
{{- end }}
