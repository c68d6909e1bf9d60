namespace Dataplane.Gateway.Demo.Screen;

/// <summary>How a piece of text is shown; without a terminal all look alike.</summary>
internal enum Style
{
    Plain,
    Dim,
    Bold,
    Heading,
    Good,
    Warn,
    Bad,
    Accent,
}
