{{/* The pod template of the Job and of the Deployment. */}}
{{- define "runmetrics.podTemplate" -}}
metadata:
  labels:
    {{- include "runmetrics.podLabels" . | nindent 4 }}
  {{- if or .Values.podAnnotations .Values.config }}
  annotations:
    {{- with include "runmetrics.config" . }}
    checksum/config: {{ sha256sum . }}
    {{- end }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
spec:
  {{- $keys := include "runmetrics.keyEntries" . | fromYamlArray }}
  {{- if eq .Values.mode "cronjob" }}
  restartPolicy: Never
  {{- end }}
  serviceAccountName: {{ include "runmetrics.serviceAccountName" . }}
  automountServiceAccountToken: {{ .Values.serviceAccount.automountToken }}
  enableServiceLinks: false
  {{- include "runmetrics.integers" (dict "from" .Values "indent" 2 "names" (list "terminationGracePeriodSeconds")) }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.podSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: collector
      image: {{ include "runmetrics.image" . }}
      {{- with .Values.image.pullPolicy }}
      imagePullPolicy: {{ . }}
      {{- end }}
      {{- include "runmetrics.commandLine" . | nindent 6 }}
      {{- with include "runmetrics.env" . | fromYamlArray }}
      env:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if eq .Values.mode "deployment" }}
      ports:
        - name: http
          containerPort: {{ int .Values.serve.port }}
      livenessProbe:
        httpGet:
          path: /healthz
          port: http
        periodSeconds: 20
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet:
          path: /readyz
          port: http
        periodSeconds: 10
        timeoutSeconds: 5
      {{- end }}
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.securityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        - name: tmp
          mountPath: /tmp
        {{- if $keys }}
        - name: keys
          mountPath: /var/run/secrets/runmetrics
          readOnly: true
        {{- end }}
        {{- if .Values.config }}
        - name: config
          mountPath: /etc/runmetrics
          readOnly: true
        {{- end }}
        {{- if .Values.persistence.enabled }}
        - name: spool
          mountPath: /var/lib/runmetrics
          {{- if gt (int .Values.shards) 1 }}
          subPathExpr: shard-$(JOB_COMPLETION_INDEX)
          {{- end }}
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir:
        sizeLimit: 64Mi
    {{- with $keys }}
    # As files, so that a rotated Secret reaches a process that stays.
    - name: keys
      secret:
        secretName: {{ include "runmetrics.secretName" $ }}
        defaultMode: 0444
        items:
          {{- toYaml . | nindent 10 }}
    {{- end }}
    {{- if .Values.config }}
    - name: config
      configMap:
        name: {{ include "runmetrics.fullname" . }}
    {{- end }}
    {{- if .Values.persistence.enabled }}
    - name: spool
      persistentVolumeClaim:
        claimName: {{ .Values.persistence.existingClaim | default (include "runmetrics.fullname" .) }}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
