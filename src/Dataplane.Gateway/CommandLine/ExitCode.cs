namespace Dataplane.Gateway.CommandLine;

/// <summary>How the program ends.</summary>
internal static class ExitCode
{
    /// <summary>Everything asked for was done.</summary>
    public const int Ok = 0;

    /// <summary>It could not be done: a port did not open, a capture could not be read, the worker died.</summary>
    public const int Failed = 1;

    /// <summary>The command line or the configuration is wrong, or there is none; nothing was started.</summary>
    public const int Usage = 2;
}
