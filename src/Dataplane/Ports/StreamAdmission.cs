using System.Net.Security;
using System.Net.Sockets;

namespace Dataplane.Ports;

/// <summary>What came of an attempt to get a peer: a connection, or why there is none.</summary>
internal readonly record struct StreamAdmission(StreamConnection? Connection, StreamEnd End)
{
    private const string ConnectTimedOut = "nobody answered in time";

    /// <summary>Connects to a peer, and shakes hands.</summary>
    internal static async Task<StreamAdmission> ConnectAsync(StreamLink link, StreamSettings settings, CancellationToken stop)
    {
        Socket socket = StreamSockets.Open(settings.Address);
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(settings.HandshakeTimeout);
        try
        {
            await socket.ConnectAsync(settings.Address, limit.Token).ConfigureAwait(false);
            return await AcceptAsync(link, settings, socket, stop).ConfigureAwait(false);
        }
        catch (SocketException error)
        {
            socket.Dispose();
            return new StreamAdmission(null, new StreamEnd(StreamReason.ConnectFailed, $"{settings.AddressText}: {StreamErrors.OneLine(error.Message)}"));
        }
        catch (OperationCanceledException)
        {
            socket.Dispose();
            return new StreamAdmission(null, new StreamEnd(StreamReason.ConnectFailed, $"{settings.AddressText}: {ConnectTimedOut}"));
        }
    }

    /// <summary>Makes a connection of a connected socket, which it owns from here on: shakes hands if the port speaks TLS.</summary>
    /// <param name="link">The link that it is for; null: the hub of the settings says by the peer's certificate.</param>
    /// <param name="settings">How to speak with the peer.</param>
    /// <param name="socket">The socket.</param>
    /// <param name="stop">Ends the handshake.</param>
    internal static async Task<StreamAdmission> AcceptAsync(StreamLink? link, StreamSettings settings, Socket socket, CancellationToken stop)
    {
        string peer;
        try
        {
            StreamSockets.Prepare(socket);
            peer = StreamSockets.PeerOf(socket);
        }
        catch (SocketException error)
        {
            socket.Dispose();
            return new StreamAdmission(null, StreamErrors.Of(error));
        }

        var plain = new NetworkStream(socket, ownsSocket: true);
        return settings.Tls is { } tls
            ? await SecureAsync(link, settings, tls, socket, plain, peer, stop).ConfigureAwait(false)
            : new StreamAdmission(new StreamConnection(link!, socket, plain, null, peer), default);
    }

    private static async Task<StreamAdmission> SecureAsync(
        StreamLink? link, StreamSettings settings, StreamTls tls, Socket socket, NetworkStream plain, string peer, CancellationToken stop)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(settings.HandshakeTimeout);
        var stream = new TlsStream(plain);
        StreamCredentials? credentials = null;
        StreamEnd end;
        try
        {
            credentials = StreamCredentials.Read(tls);
            var handshake = new StreamHandshake(tls.Peer, settings.Role, credentials, link is null ? settings.Hub!.LinkOf : link.LinkOf);
            end = await handshake.RunAsync(stream, limit.Token).ConfigureAwait(false);
            if (end.Reason == StreamReason.None)
            {
                string description = $"{peer}, TLS 1.3, {stream.NegotiatedCipherSuite}, {handshake.PeerSubject}";
                return new StreamAdmission(new StreamConnection(handshake.Link!, socket, stream, credentials, description), end);
            }
        }
        catch (IOException error)
        {
            end = new StreamEnd(StreamReason.CertificateUnreadable, error.Message);
        }
        catch (OperationCanceledException)
        {
            end = new StreamEnd(StreamReason.HandshakeTimeout);
        }

        // Who it was is said with the reason: on a port that anyone can reach, that is what an operator looks for.
        await stream.DisposeAsync().ConfigureAwait(false);
        credentials?.Dispose();
        return new StreamAdmission(null, end with { Detail = end.Detail.Length > 0 ? $"{end.Detail} ({peer})" : peer });
    }
}
