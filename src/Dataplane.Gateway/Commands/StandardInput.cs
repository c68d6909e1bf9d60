namespace Dataplane.Gateway.Commands;

/// <summary>The end of standard input: how a part of a program notices that the rest of it is gone, however it went.</summary>
internal static class StandardInput
{
    /// <summary>Completes when standard input has ended. What comes before is read and forgotten.</summary>
    /// <remarks>The console's own asynchronous methods block their caller, so this takes a thread.</remarks>
    public static Task EndAsync() => Task.Factory.StartNew(
        static () => Console.OpenStandardInput().CopyTo(Stream.Null), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
