using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Dataplane.Gateway.Demo.Traffic;

/// <summary>Sends HTTP requests, each over a connection of its own, so that each is balanced on its own.</summary>
internal sealed class HttpLoad(TimeSpan timeout)
{
    private static readonly byte[] s_request = "GET / HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n"u8.ToArray();

    private readonly ConcurrentDictionary<string, long> _byBackend = new();

    public TrafficCounter Counter { get; } = new();

    /// <summary>Answers per backend, by the name that each puts into the header X-Backend.</summary>
    public IReadOnlyDictionary<string, long> ByBackend() => new Dictionary<string, long>(_byBackend);

    /// <summary>One client: one request after the other.</summary>
    public async Task RunAsync(IPEndPoint server, IPAddress? from, TimeSpan interval, CancellationToken ended)
    {
        var pace = new Pace(interval);
        byte[] buffer = new byte[4096];
        while (!ended.IsCancellationRequested)
        {
            await Task.Delay(pace.Next(), CancellationToken.None).ConfigureAwait(false);
            long start = Stopwatch.GetTimestamp();
            string? backend = await RequestAsync(server, from, buffer).ConfigureAwait(false);
            if (backend is null)
            {
                Counter.CountFailed();
                continue;
            }

            Counter.CountOk(start);
            _byBackend.AddOrUpdate(backend, 1, static (_, count) => count + 1);
        }
    }

    /// <summary>Returns the backend that answered, or null.</summary>
    private async Task<string?> RequestAsync(IPEndPoint server, IPAddress? from, byte[] buffer)
    {
        using var deadline = new CancellationTokenSource(timeout);
        using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            if (from is not null)
            {
                socket.Bind(new IPEndPoint(from, 0));
            }

            await socket.ConnectAsync(server, deadline.Token).ConfigureAwait(false);
            await socket.SendAsync(s_request, deadline.Token).ConfigureAwait(false);
            int length = 0;
            while (length < buffer.Length)
            {
                int read = await socket.ReceiveAsync(buffer.AsMemory(length), deadline.Token).ConfigureAwait(false);
                if (read == 0)
                {
                    break;
                }

                length += read;
            }

            return BackendOf(buffer.AsSpan(0, length));
        }
        catch (Exception failed) when (failed is SocketException or OperationCanceledException)
        {
            return null;
        }
    }

    private static string? BackendOf(ReadOnlySpan<byte> answer)
    {
        ReadOnlySpan<byte> header = "X-Backend: "u8;
        if (!answer.StartsWith("HTTP/1.1 200"u8) || answer.IndexOf(header) is not (> 0 and var at))
        {
            return null;
        }

        ReadOnlySpan<byte> name = answer[(at + header.Length)..];
        return Encoding.ASCII.GetString(name[..Math.Max(name.IndexOf((byte)'\r'), 0)]);
    }
}
