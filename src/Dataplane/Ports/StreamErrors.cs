using System.Net.Sockets;
using System.Security.Authentication;

namespace Dataplane.Ports;

/// <summary>What exceptions of sockets and TLS mean for a link.</summary>
internal static class StreamErrors
{
    /// <summary>Why a standing connection has ended.</summary>
    internal static StreamEnd Of(Exception error) => SocketErrorOf(error) switch
    {
        SocketError.ConnectionReset or SocketError.Shutdown or SocketError.ConnectionAborted => new StreamEnd(StreamReason.PeerReset),
        SocketError.TimedOut => new StreamEnd(StreamReason.PeerSilent),
        { } other => new StreamEnd(StreamReason.StreamFailed, $"{other}"),
        null when TlsTextOf(error) is { } text => new StreamEnd(text.Contains("alert", StringComparison.OrdinalIgnoreCase)
            ? StreamReason.TlsEndedByPeer : StreamReason.TlsFailed, text),
        _ => new StreamEnd(StreamReason.StreamFailed, OneLine(error.Message)),
    };

    /// <summary>The error of the socket below; null when it had none.</summary>
    internal static SocketError? SocketErrorOf(Exception error)
    {
        for (Exception? at = error; at is not null; at = at.InnerException)
        {
            if (at is SocketException socket)
                return socket.SocketErrorCode;
        }

        return null;
    }

    /// <summary>What the TLS library says, the innermost message being the one that tells; null when it is not about TLS.</summary>
    internal static string? TlsTextOf(Exception error)
    {
        bool isTls = false;
        Exception last = error;
        for (Exception? at = error; at is not null; at = at.InnerException)
        {
            // The library's own exception is internal to the runtime; its name is all there is to know it by.
            isTls |= at is AuthenticationException || at.GetType().Name == "SslException";
            last = at;
        }

        return isTls ? OneLine(last.Message) : null;
    }

    /// <summary>A message that fits a line of status.</summary>
    internal static string OneLine(string text) => text.ReplaceLineEndings(" ").Trim().TrimEnd('.');
}
