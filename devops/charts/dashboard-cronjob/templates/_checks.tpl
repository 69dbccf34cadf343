{{/*
Values and file must not say two things: a value becomes a variable or an option, which the program
prefers to its file in silence. The file's keys are the program's (docs/CONFIGURATION.md).
*/}}
{{- define "runmetrics.checkConfig" -}}
{{- $file := include "runmetrics.configObject" . | fromYaml -}}
{{- if $file.Error -}}
{{- fail (printf "config is not a YAML map: %s" $file.Error) -}}
{{- end -}}
{{- $env := dict -}}
{{- range include "runmetrics.env" . | fromYamlArray -}}{{- $_ := set $env .name .value -}}{{- end -}}
{{- $places := dict "entity" "WANDB_ENTITY" "project" "WANDB_PROJECT" "accuracy_key" "RUNMETRICS_ACCURACY_KEY" "loss_key" "RUNMETRICS_LOSS_KEY" "gpus_per_run" "RUNMETRICS_GPUS_PER_RUN" -}}
{{- range $key, $variable := $places -}}
{{- $ours := index $env $variable -}}
{{- $theirs := index $file $key -}}
{{- if and $ours (not (kindIs "invalid" $theirs)) (ne (toString $ours) (toString $theirs)) -}}
{{- fail (printf "the values set %s to %q, and config says %s: %v; the variable would win: set it in one of the two" $variable $ours $key $theirs) -}}
{{- end -}}
{{- end -}}
{{- with .Values.timeoutSeconds -}}
{{- if and $file.timeout_seconds (ne (int .) (int $file.timeout_seconds)) -}}
{{- fail (printf "timeoutSeconds is %d, and config says timeout_seconds: %v; the value would win: set it in one of the two" (int .) $file.timeout_seconds) -}}
{{- end -}}
{{- end -}}
{{- $listed := $env.RUNMETRICS_PROJECTS -}}
{{- if and $listed $file.projects (ne $listed (join "," $file.projects)) -}}
{{- fail (printf "the values list the projects %s, and config lists projects too; the values would win: list them in one of the two" $listed) -}}
{{- end -}}
{{- if and $listed (or $file.entity $file.project) -}}
{{- fail (printf "the values list the projects %s, and config names an entity or a project; the list would win: name them in one of the two" $listed) -}}
{{- end -}}
{{- if and $file.projects (or $env.WANDB_ENTITY $env.WANDB_PROJECT) -}}
{{- fail "the values name an entity or a project, and config lists projects; the list would win: name them in one of the two" -}}
{{- end -}}
{{- end }}

{{- define "runmetrics.configObject" -}}
{{- include "runmetrics.config" . | default "{}" -}}
{{- end }}

{{/* Seconds that the program gives itself: values, file, its default. */}}
{{- define "runmetrics.timeout" -}}
{{- $file := include "runmetrics.configObject" . | fromYaml -}}
{{- int (.Values.timeoutSeconds | default ($file.timeout_seconds | default 90)) -}}
{{- end }}

{{/* A value that would be ignored in silence is refused. */}}
{{- define "runmetrics.checkUnused" -}}
{{- with .Values -}}
{{- if eq (toString .enabled) "false" -}}
{{- fail "enabled is false, but the chart is rendered: it is for a parent chart that says `condition: ALIAS.enabled`" -}}
{{- end -}}
{{- if and .timeoutSeconds (or .command .args) -}}
{{- fail (printf "timeoutSeconds is set, but a command or args of your own do not get it: write --timeout=%d into them" (int .timeoutSeconds)) -}}
{{- end -}}
{{- if and (not .serviceAccount.create) (or .aws.roleArn .serviceAccount.annotations) -}}
{{- fail (printf "%s is set, but serviceAccount.create is false: annotate the service account yourself, and leave it empty here" (ternary "aws.roleArn" "serviceAccount.annotations" (not (empty .aws.roleArn)))) -}}
{{- end -}}
{{- if and .serviceMonitor.enabled (ne .mode "deployment") -}}
{{- fail "serviceMonitor needs mode deployment: a CronJob's pod is gone before it is scraped" -}}
{{- end -}}
{{- if and .externalSecrets.enabled .keys.existingSecret -}}
{{- fail "keys.existingSecret and externalSecrets.enabled are both set: choose one place for the keys" -}}
{{- end -}}
{{- if and .externalSecrets.enabled (not .externalSecrets.storeName) -}}
{{- fail "externalSecrets.storeName is empty: name the store to read" -}}
{{- end -}}
{{- $secret := include "runmetrics.secretName" $ -}}
{{- if and $secret (not .keys.wandbEntry) (not .keys.datadogEntry) -}}
{{- fail (printf "the Secret %s is to give no key: name keys.wandbEntry or keys.datadogEntry" $secret) -}}
{{- end -}}
{{- range $name, $what := dict "externalSecrets" "storeName" "persistence" "existingClaim" "networkPolicy" "extraEgress" "serviceMonitor" "labels" -}}
{{- $section := index $.Values $name -}}
{{- if and (index $section $what) (not $section.enabled) -}}
{{- fail (printf "%s.%s is set, but %s.enabled is not true: set it too, or leave both" $name $what $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Values are kept in the release, where many may read them: no secret may be among them. */}}
{{- define "runmetrics.checkSecrets" -}}
{{- range .Values.extraEnv -}}
{{- $value := toString (.value | default "") -}}
{{- if and $value (or (regexMatch "(_API_KEY|_APP_KEY|_ACCESS_KEY|_PRIVATE_KEY|TOKEN|PASSWORD|_HEADERS)$" .name) (regexMatch "://[^/@ ]*:[^/@ ]*@" $value)) -}}
{{- fail (printf "extraEnv: %s as a plain value would be readable in the release: use keys.existingSecret or valueFrom" .name) -}}
{{- end -}}
{{- end -}}
{{- end }}
