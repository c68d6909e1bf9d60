using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Dataplane.Packets;

namespace Dataplane.Health;

/// <summary>Asks a server once whether it is well, by a socket of the host.</summary>
internal static class HealthProbe
{
    /// <summary>The longest status line that is read.</summary>
    private const int MaxStatusBytes = 1024;

    /// <summary>Asks.</summary>
    /// <param name="spec">How.</param>
    /// <param name="address">The server.</param>
    /// <param name="port">Its port.</param>
    /// <param name="time">The clock of the time limit.</param>
    /// <param name="cancellationToken">Ends asking with an exception.</param>
    /// <exception cref="OperationCanceledException">The caller has cancelled.</exception>
    public static async Task<HealthVerdict> AskAsync(HealthSpec spec, IpAddress address, int port, TimeProvider time, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(spec.Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await AskAsync(spec, EndPoint(address, port), either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new HealthVerdict(false, string.Create(CultureInfo.InvariantCulture, $"no answer in {spec.Timeout.TotalMilliseconds:0} ms"));
        }
        catch (SocketException failure)
        {
            return new HealthVerdict(false, Describe(failure.SocketErrorCode));
        }
        catch (Exception failure) when (failure is IOException or System.Security.Authentication.AuthenticationException)
        {
            return new HealthVerdict(false, failure.InnerException is SocketException socket ? Describe(socket.SocketErrorCode) : failure.Message);
        }
    }

    private static async Task<HealthVerdict> AskAsync(HealthSpec spec, IPEndPoint target, CancellationToken cancellationToken)
    {
        bool isUdp = spec.Check == HealthCheckKind.Udp;
        using var socket = new Socket(target.AddressFamily, isUdp ? SocketType.Dgram : SocketType.Stream, isUdp ? ProtocolType.Udp : ProtocolType.Tcp);
        if (spec.Source is { } source)
        {
            socket.Bind(EndPoint(source, 0));
        }

        await socket.ConnectAsync(target, cancellationToken).ConfigureAwait(false);
        switch (spec.Check)
        {
            case HealthCheckKind.Udp:
                await socket.SendAsync(Encoding.UTF8.GetBytes(spec.Send), cancellationToken).ConfigureAwait(false);
                int length = await socket.ReceiveAsync(new byte[1], SocketFlags.None, cancellationToken).ConfigureAwait(false);
                return new HealthVerdict(true, length > 0 ? "answered" : "answered nothing");
            case HealthCheckKind.Http:
                await using (var plain = new NetworkStream(socket))
                {
                    return await GetAsync(spec, target, plain, cancellationToken).ConfigureAwait(false);
                }

            case HealthCheckKind.Https:
#pragma warning disable CA5359 // The check asks whether somebody answers, not who: documented with the key.
                await using (var secure = new SslStream(new NetworkStream(socket), leaveInnerStreamOpen: false, static (_, _, _, _) => true))
#pragma warning restore CA5359
                {
                    await secure.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = HostOf(spec, target) }, cancellationToken).ConfigureAwait(false);
                    return await GetAsync(spec, target, secure, cancellationToken).ConfigureAwait(false);
                }

            default:
                return new HealthVerdict(true, "connected");
        }
    }

    private static async Task<HealthVerdict> GetAsync(HealthSpec spec, IPEndPoint target, Stream stream, CancellationToken cancellationToken)
    {
        string host = HostOf(spec, target);
        string authority = host.Contains(':', StringComparison.Ordinal) && !host.StartsWith('[') && spec.Host.Length == 0 ? $"[{host}]" : host;
        string request = $"GET {spec.Path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: dataplane-health\r\nAccept: */*\r\nConnection: close\r\n\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request), cancellationToken).ConfigureAwait(false);
        byte[] line = new byte[MaxStatusBytes];
        int length = 0;
        while (length < line.Length && line.AsSpan(0, length).IndexOf((byte)'\n') < 0)
        {
            int read = await stream.ReadAsync(line.AsMemory(length), cancellationToken).ConfigureAwait(false);
            if (read == 0)
            {
                break;
            }

            length += read;
        }

        return Judge(spec, line.AsSpan(0, length));
    }

    /// <summary>Judges a status line (RFC 9112 4): "HTTP/1.1 200 OK".</summary>
    internal static HealthVerdict Judge(HealthSpec spec, ReadOnlySpan<byte> line)
    {
        bool isHttp = line.Length >= 12 && line.StartsWith("HTTP/1."u8) && line[8] == ' ' && (line.Length == 12 || line[12] is (byte)' ' or (byte)'\r' or (byte)'\n');
        return isHttp && int.TryParse(line[9..12], NumberStyles.None, CultureInfo.InvariantCulture, out int status)
            ? new HealthVerdict(status >= spec.StatusFrom && status <= spec.StatusTo, string.Create(CultureInfo.InvariantCulture, $"HTTP status {status}"))
            : new HealthVerdict(false, line.Length == 0 ? "connection closed without an answer" : "answer is not HTTP/1");
    }

    private static string HostOf(HealthSpec spec, IPEndPoint target) => spec.Host.Length > 0 ? spec.Host : target.Address.ToString();

    private static IPEndPoint EndPoint(IpAddress address, int port)
    {
        byte[] bytes = new byte[address.IsIpv4 ? 4 : 16];
        address.Write(bytes);
        return new IPEndPoint(new IPAddress(bytes), port);
    }

    private static string Describe(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => "connection refused",
        SocketError.ConnectionReset => "connection reset",
        SocketError.HostUnreachable => "host unreachable",
        SocketError.NetworkUnreachable => "network unreachable from this host",
        SocketError.TimedOut => "no answer",
        SocketError.AddressNotAvailable => "the source is no address of this host",
        _ => error.ToString(),
    };
}
