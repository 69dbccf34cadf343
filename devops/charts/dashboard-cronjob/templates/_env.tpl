{{/*
The program's environment: what the values say and nothing else, so that what they leave open is
the configuration file's to say, and an extraEnvFrom's. extraEnv adds to it and replaces entries of
the same name.
*/}}
{{- define "runmetrics.ownEnv" -}}
{{- range $tag := list "env" "service" "version" }}
{{- if index $.Values.datadog $tag }}
- name: DD_{{ upper $tag }}
  valueFrom:
    fieldRef:
      fieldPath: metadata.labels['tags.datadoghq.com/{{ $tag }}']
{{- end }}
{{- end }}
{{- $plain := list
  (list "DD_SITE" .Values.datadog.site)
  (list "RUNMETRICS_PROJECTS" (join "," .Values.wandb.projects))
  (list "WANDB_ENTITY" .Values.wandb.entity)
  (list "WANDB_PROJECT" .Values.wandb.project)
  (list "WANDB_BASE_URL" .Values.wandb.baseUrl)
  (list "RUNMETRICS_WANDB_SECRET" .Values.aws.wandbSecret)
  (list "RUNMETRICS_DATADOG_SECRET" .Values.aws.datadogSecret)
  (list "AWS_DEFAULT_REGION" .Values.aws.region)
  (list "RUNMETRICS_CONFIG" (ternary "/etc/runmetrics/runmetrics.yaml" "" (not (empty .Values.config))))
  (list "RUNMETRICS_SPOOL_DIR" (ternary "/var/lib/runmetrics" "" (not (empty .Values.persistence.enabled))))
}}
{{- range $entry := include "runmetrics.keyEntries" . | fromYamlArray }}
{{- $plain = append $plain (list (printf "%s_FILE" $entry.path) (printf "/var/run/secrets/runmetrics/%s" $entry.path)) }}
{{- end }}
{{- range $plain }}
{{- if last . }}
- name: {{ first . }}
  value: {{ last . | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* The keys that come from a Secret: which entry of it becomes which file. */}}
{{- define "runmetrics.keyEntries" -}}
{{- if include "runmetrics.secretName" . }}
{{- with .Values.keys.wandbEntry }}
- key: {{ . }}
  path: WANDB_API_KEY
{{- end }}
{{- with .Values.keys.datadogEntry }}
- key: {{ . }}
  path: DD_API_KEY
{{- end }}
{{- end }}
{{- end }}

{{- define "runmetrics.env" -}}
{{- $given := .Values.extraEnv | default list -}}
{{- $extra := list -}}
{{- range $given }}{{ $extra = append $extra .name }}{{ end -}}
{{- $env := list -}}
{{- range include "runmetrics.ownEnv" . | fromYamlArray -}}
{{- if not (has .name $extra) }}{{ $env = append $env . }}{{ end -}}
{{- end -}}
{{- toYaml (concat $env $given) -}}
{{- end }}
