namespace Dataplane.Gateway.Networks.Measuring;

/// <summary>Sends numbered questions from an endpoint to an address, and hears the answers.</summary>
internal interface IAsker : IDisposable
{
    /// <summary>Sends a question.</summary>
    /// <param name="number">-1 to 10,000.</param>
    /// <exception cref="System.Net.Sockets.SocketException">No route, or refused.</exception>
    Task AskAsync(int number);

    /// <summary>Waits for the answer to a question; answers to others are passed over.</summary>
    /// <exception cref="OperationCanceledException">It took too long.</exception>
    Task HearAsync(int number, CancellationToken end);
}
