using System.Net.Sockets;
using System.Security.Authentication;
using Dataplane.Mesh.Relay;
using Dataplane.Ports;

namespace Dataplane.Mesh.Tls;

/// <summary>What exceptions of sockets and TLS mean for a connection.</summary>
internal static class TlsErrors
{
    /// <summary>What a stream throws when it is closed under a read or write, or the other side does something; all else is a fault of ours.</summary>
    internal static bool IsOfTheStream(Exception error) => error is IOException or SocketException or ObjectDisposedException
        or InvalidOperationException or OperationCanceledException or AuthenticationException;

    /// <summary>Why a standing connection has ended.</summary>
    internal static RelayEnd OfStream(Exception error, RelaySide side) => StreamErrors.SocketErrorOf(error) switch
    {
        SocketError.ConnectionReset or SocketError.Shutdown or SocketError.ConnectionAborted => new RelayEnd(RelayReason.Reset, side),
        SocketError.TimedOut => new RelayEnd(RelayReason.PeerSilent, side),
        { } other => new RelayEnd(RelayReason.StreamFailed, side, $"{other}"),
        null when StreamErrors.TlsTextOf(error) is { } text => new RelayEnd(ReasonOf(text), side, text),
        _ when error is IOException => new RelayEnd(RelayReason.Truncated, side, StreamErrors.OneLine(error.Message)),
        _ => new RelayEnd(RelayReason.StreamFailed, side, StreamErrors.OneLine(error.Message)),
    };

    /// <summary>Why a handshake has failed when certificates were not the matter.</summary>
    /// <param name="error">What was thrown.</param>
    /// <param name="side">Whose side it was on.</param>
    /// <param name="isGreeted">For a server, whether the client's greeting was read; for a client, true.</param>
    internal static RelayEnd OfHandshake(Exception error, RelaySide side, bool isGreeted)
    {
        if (StreamErrors.SocketErrorOf(error) is not null)
            return OfStream(error, side) is { Reason: RelayReason.Reset } ? new RelayEnd(RelayReason.HandshakeAborted, side, "reset") : OfStream(error, side);
        string? text = StreamErrors.TlsTextOf(error);
        if (error is IOException && text is null)
            return new RelayEnd(RelayReason.HandshakeAborted, side);
        if (!isGreeted || (side == RelaySide.Upstream && error is AuthenticationException { InnerException: null }))
            return new RelayEnd(RelayReason.TlsNotSpoken, side);
        text ??= StreamErrors.OneLine(error.Message);
        return new RelayEnd(ReasonOf(text), side, text);
    }

    private static RelayReason ReasonOf(string text) =>
        text.Contains("alert", StringComparison.OrdinalIgnoreCase) ? RelayReason.TlsEndedByPeer
        : text.Contains("unsupported protocol", StringComparison.OrdinalIgnoreCase) || text.Contains("wrong version", StringComparison.OrdinalIgnoreCase)
            ? RelayReason.TlsVersion : RelayReason.TlsFailed;
}
