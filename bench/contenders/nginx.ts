/** The configuration of the nginx that Till is compared with: one worker, a fixed header, keep-alive, no buffering. */
export function nginxConfiguration(folder: string, port: number, providerPort: number, credential: string): string {
  return `worker_processes 1; daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log warn;
events { worker_connections 8192; }
http {
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c; uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e;
  upstream provider { server 127.0.0.1:${providerPort}; keepalive 128; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer ${credential}"; proxy_buffering off; client_body_buffer_size 64k;
    }
  }
}
`
}
